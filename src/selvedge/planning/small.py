"""What the forward pass saves for the backward, saved in fewer bytes: masks of a bit, and codes of 8 bits."""

from __future__ import annotations

from collections.abc import Collection

from ..ir.graph import LEAVES, Graph, Node, Value, topological
from ..ir.op import apply, results
from ..ir.ops.saved import GATES
from .fuse import VIEWS, root

GATED = {f"{name}_grad": name for name in GATES}
# Readers whose result an error of a saved operand changes in proportion, and the positions of that operand.
TOLERANT = {
    "conv2d_weight_grad": (0,),
    "matmul": (0, 1),
    "mul": (0, 1),
    "normalize_grad": (1,),
}
Use = tuple[Node, int]  # a reader, and the position of the operand


def made_small(graph: Graph, codes: bool) -> Graph:
    """``graph`` with masks where the backward asks of an activation only where it passed its gradient; the same object
    where there is none. codes: activations that it reads as numbers are kept in 8 bits and a scale a channel, which
    changes gradients: an element is off by at most 1/254 of the largest of its channel.

    Only what nothing else reads later is replaced: the forward pass reads the floats, before they are let go.
    """
    if not graph.updates:
        return graph
    plans = _Rewrite(graph, codes)
    return plans.graph() if plans.masked or plans.coded else graph


class _Rewrite:
    """masked: gradients that will read a mask. coded: uses that will read codes."""

    def __init__(self, graph: Graph, codes: bool) -> None:
        self.before = graph
        self.nodes = graph.nodes()
        self.masked: set[Node] = set()
        self.coded: set[Use] = set()
        # What the gradients' norm is made of is the backward.
        forward = set(topological(v.node for name, v in graph.results.items() if name != "norm"))
        # A part of an activation, for a weight that learns in part, is taken when the activation is made.
        forward.update(n for n in self.nodes if n.op == "slice" and root(n.inputs[0]).node in forward)
        wanted = {root(v) for v in graph.outputs.values()}
        late: dict[Value, list[Use]] = {}
        for node in self.nodes:
            if node not in forward and node.op not in VIEWS:
                for position, value in enumerate(node.inputs):
                    late.setdefault(root(value), []).append((node, position))
        for value, uses in late.items():
            if value.node in forward and value.node.op not in LEAVES and value.spec.is_float and value not in wanted:
                self._choose(value, uses, codes)

    def _choose(self, value: Value, uses: Collection[Use], codes: bool) -> None:
        masked = [u for u in uses if u[0].op in GATED and u[1] == 1]
        coded = [u for u in uses if u[1] in TOLERANT.get(u[0].op, ())]
        if len(masked) + len(coded) < len(uses) or (coded and not (codes and _fewer(value))):
            return
        self.masked.update(node for node, _ in masked)
        self.coded.update(coded)

    def graph(self) -> Graph:
        now: dict[Value, Value] = {}
        masks: dict[tuple[Value, str, tuple[object, ...]], Value] = {}
        stored: dict[Value, tuple[Value, ...]] = {}

        def mask(node: Node) -> Value:
            base, of = root(node.inputs[1]), GATED[node.op]
            key = (base, of, tuple(sorted(node.attrs.items())))
            if key not in masks:
                masks[key] = apply("pack_mask", now[base], where=base.node.where, of=of, **node.attrs)
            return masks[key]

        def read(value: Value) -> Value:
            """The numbers again, for one reader alone: so they pass."""
            base = root(value)
            if base not in stored:
                stored[base] = results("quantize_channels", now[base], where=base.node.where)
            codes, scales = stored[base]
            again = apply("mul", apply("convert", codes, dtype=base.dtype), scales)
            return again if value.shape == base.shape else apply("reshape", again, shape=value.shape)

        for node in self.nodes:
            if node in self.masked:
                now[Value(node)] = apply("masked_grad", now[node.inputs[0]], mask(node), where=node.where)
                continue
            inputs = tuple(read(v) if (node, i) in self.coded else now[v] for i, v in enumerate(node.inputs))
            same = node if inputs == node.inputs else Node(node.op, inputs, node.specs, node.attrs, node.where)
            for i in range(len(node.specs)):
                now[Value(node, i)] = Value(same, i)
        before = self.before
        return Graph(before.inputs, before.state, {name: now[v] for name, v in before.outputs.items()})


def _fewer(value: Value) -> bool:
    """Do codes and scales take fewer bytes?"""
    shape, item = value.shape, value.spec.bytes // max(1, value.spec.size)
    return bool(shape) and value.spec.size + shape[-1] * item < value.spec.bytes
