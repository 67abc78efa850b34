"""What is no operator of its own: a bias and an activation become part of the layer before them."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from selvedge.ir import Graph, Node, Value, consumers

BOUNDS = {(0.0, 6.0): "relu6", (-1.0, 1.0): "relu_n1_to_1"}
ACTIVATED = ("add", "sub", "mul", "div")
LAYERS = ("conv2d", "matmul")


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """``head`` with what is fused into it. bias: [C], or None. activation: as the schema names it. last: the node whose
    value it is."""

    head: Node
    last: Node
    bias: Value | None
    activation: str


@dataclass(frozen=True, slots=True, eq=False)
class Fused:
    """heads: the chains by their first node. lasts: by their last. inside: the others of chains, at which nothing is
    written. flat: reshapes that are left out."""

    heads: Mapping[Node, Chain]
    lasts: Mapping[Node, Chain]
    inside: Set[Node]
    flat: Set[Node]

    def of(self, head: Node) -> Chain:
        """What ``head`` is written with: nothing, where it is in no chain."""
        return self.heads.get(head) or Chain(head, head, None, "none")


def fused(graph: Graph) -> Fused:
    """The chains of ``graph``: each value between two nodes of one is read there alone, and is no output."""
    nodes = graph.nodes()
    readers, outputs = consumers(nodes), set(graph.outputs.values())
    chains: dict[Node, Chain] = {}
    inside: set[Node] = set()

    def reader(node: Node) -> Node | None:
        value = Value(node)
        found = readers.get(value, [])
        one = len(found) == 1 and value not in outputs and found[0].inputs.count(value) == 1
        return found[0] if one else None

    for node in nodes:
        if node in inside or not (is_layer(node) or (node.op in ACTIVATED and node.specs[0].dtype == "float32")):
            continue
        last, bias = node, None
        if node.op in LAYERS:
            after = reader(last)
            if after is not None and after.op == "add":
                bias = _bias(after, last)
                last = last if bias is None else after
        after = reader(last)
        activation = None if after is None else _activation(after)
        if activation is not None and after is not None:
            last = after
        if last is not node:
            chains[node] = Chain(node, last, bias, activation or "none")
            inside |= _between(node, last, readers)
    return Fused(chains, {c.last: c for c in chains.values()}, inside, _flattening(graph))


def is_layer(node: Node) -> bool:
    """Has the operator of ``node`` a bias? A product has where its weights lie as [outputs, inputs], or can."""
    if node.op == "matmul":
        turned = node.attrs["trans_b"] or node.inputs[1].node.op == "constant"
        return len(node.inputs[0].shape) == 2 and not node.attrs["trans_a"] and turned and _is_real(node)
    return node.op == "conv2d" and _is_real(node)


def _is_real(node: Node) -> bool:
    return node.specs[0].dtype == "float32"


def _between(first: Node, last: Node, readers: Mapping[Value, list[Node]]) -> set[Node]:
    found = set()
    while first is not last:
        found.add(first)
        (first,) = readers[Value(first)]
    return found


def _bias(node: Node, layer: Node) -> Value | None:
    """The [C] that ``node`` adds to what ``layer`` makes of C channels."""
    (other,) = [v for v in node.inputs if v.node is not layer]
    return other if other.shape == layer.specs[0].shape[-1:] and node.specs[0].shape == layer.specs[0].shape else None


def _activation(node: Node) -> str | None:
    if not _is_real(node):
        return None
    if node.op in ("clamp", "hardtanh"):
        return BOUNDS.get((node.attrs["min"], node.attrs["max"]))
    return "relu" if node.op == "relu" else None


def _flattening(graph: Graph) -> set[Node]:
    """The reshapes to rows that only int8 fully connected layers read."""
    nodes = graph.nodes()
    readers, outputs = consumers(nodes), set(graph.outputs.values())
    return {
        node
        for node in nodes
        if node.op == "reshape" and len(node.specs[0].shape) == 2 and Value(node) not in outputs
        and all(r.op == "int8_linear" and Value(node) not in r.inputs[1:] for r in readers[Value(node)])
    }  # fmt: skip
