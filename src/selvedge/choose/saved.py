"""What the gradient of each tensor reads of the forward pass, and so keeps in RAM until then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .. import ir

VIEWS = ("reshape",)
PRODUCTS = ("conv2d_weight_grad", "matmul")


def saved(step: ir.Graph, names: Iterable[str]) -> dict[str, Mapping[str, int]]:
    """Name -> {key of a forward value: its bytes}, read off the graph of a step that updates all of ``names``.

    A value counts if it depends on an input; a view is what it views, and the slice of one, for a weight that learns in
    part, is all that is kept of it. Lowering may save less (a sign instead of a value): this is for an estimate.
    """
    order, forward, computed = _computed(step)
    made: dict[str, Mapping[str, int]] = {}
    for name in names:
        found: dict[str, int] = {}
        for node in _ancestors([_learnt(step, name)]) - forward:
            for value in () if _sliced(node, forward) else map(_viewed, node.inputs):
                if value.node in computed:
                    found[f"{order[value.node]}.{value.index}"] = value.spec.bytes
        made[name] = found
    return made


def inputs(step: ir.Graph, names: Iterable[str]) -> dict[str, frozenset[str]]:
    """Name -> those keys of :func:`saved` that are its layer's inputs: all that is read by channels of its own."""
    order, forward, computed = _computed(step)
    made = {}
    for name in names:
        spec = step.state[name].spec
        made[name] = frozenset(
            f"{order[value.node]}.{value.index}"
            for node in _ancestors([_learnt(step, name)]) - forward
            if node.op in PRODUCTS and node.specs[0] == spec
            for value in map(_viewed, node.inputs)
            if value.node in computed
        )
    return made


def _learnt(step: ir.Graph, name: str) -> ir.Value:
    """The new value of ``name``, or where ``step`` accumulates that of its accumulator."""
    return step.outputs[name] if name in step.outputs else step.outputs[f"{name}.accumulator"]


def _computed(step: ir.Graph) -> tuple[dict[ir.Node, int], set[ir.Node], set[ir.Node]]:
    """The place of every node, the nodes of the forward pass, and what of them depends on an input."""
    order = {node: i for i, node in enumerate(step.nodes())}
    forward = _ancestors([step.outputs["loss"]])
    computed: set[ir.Node] = set()
    for node in order:
        early = node in forward or _sliced(node, forward)
        if early and (node.op == "input" or any(v.node in computed for v in node.inputs)):
            computed.add(node)
    return order, forward, computed


def _sliced(node: ir.Node, forward: set[ir.Node]) -> bool:
    return node.op == "slice" and _viewed(node.inputs[0]).node in forward


def _viewed(value: ir.Value) -> ir.Value:
    while value.node.op in VIEWS:
        value = value.node.inputs[0]
    return value


def _ancestors(values: Iterable[ir.Value]) -> set[ir.Node]:
    return set(ir.topological([v.node for v in values]))
