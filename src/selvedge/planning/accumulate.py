"""Where gradients meet at a fork, the later input gradient adds onto the earlier instead of standing beside it."""

from __future__ import annotations

from ..ir.graph import Graph, Node, Value

ONTO = "conv2d_input_grad"


def accumulate(graph: Graph) -> Graph:
    """``graph`` with ``add(u, conv2d_input_grad(dy, w))`` as ``conv2d_input_grad(dy, w, u)``, in u's bytes.

    Only where the gradient has no other reader. Depthwise and linear layers are left alone: their gradients have
    kernels that cannot add.
    """
    readers: dict[Value, int] = {}
    nodes = graph.nodes()
    for node in nodes:
        for value in node.inputs:
            readers[value] = readers.get(value, 0) + 1
    for value in graph.outputs.values():
        readers[value] = readers.get(value, 0) + 1

    now: dict[Value, Value] = {}
    for node in nodes:
        if not node.inputs:
            now[Value(node)] = Value(node)
            continue
        inputs = tuple(now[v] for v in node.inputs)
        pair = _onto(node, readers)
        if pair is not None:
            gradient, other = pair
            made = now[gradient].node
            if len(made.inputs) == 2:
                joined = Node(ONTO, (*made.inputs, now[other]), node.specs, made.attrs, made.where)
                now[Value(node)] = Value(joined)
                continue
        same = node if inputs == node.inputs else Node(node.op, inputs, node.specs, node.attrs, node.where)
        for i in range(len(node.specs)):
            now[Value(node, i)] = Value(same, i)
    return Graph(graph.inputs, graph.state, {name: now[v] for name, v in graph.outputs.items()})


def _onto(node: Node, readers: dict[Value, int]) -> tuple[Value, Value] | None:
    """(the input gradient, what it can be added onto) if ``node`` is such a sum."""
    if node.op != "add" or any(v.spec != node.specs[0] for v in node.inputs):
        return None
    # The later of two gradients has read more: prefer the second operand, which autodiff met last.
    for gradient, other in (node.inputs[::-1], node.inputs):
        made = gradient.node
        if made.op == ONTO and readers[gradient] == 1 and gradient != other and not _depthwise(made):
            return gradient, other
    return None


def _depthwise(node: Node) -> bool:
    groups = int(node.attrs["groups"])
    return groups > 1 and groups == node.inputs[0].shape[-1] == node.specs[0].shape[-1]
