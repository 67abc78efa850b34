"""What a sum reads without its leading axes of one element, read with them: in a file the reshape would be an operator.

Capture takes them away where the other operand broadcasts over them; between two values of one shape that says nothing.
"""

from __future__ import annotations

from selvedge.ir import Graph, Node, Value

BROADCASTING = ("add", "div", "int8_add", "int8_mul", "mul", "sub")


def lifted(graph: Graph) -> Graph:
    """``graph`` without such reshapes, but for those that something else reads or that are outputs."""
    now: dict[Value, Value] = {}
    for node in graph.nodes():
        inputs = tuple(now[v] for v in node.inputs)
        if node.op in BROADCASTING:
            inputs = tuple(_whole(v, node.specs[0].shape) for v in inputs)
        made = node if inputs == node.inputs else Node(node.op, inputs, node.specs, node.attrs, node.where)
        now.update((Value(node, i), Value(made, i)) for i in range(len(node.specs)))
    return Graph(graph.inputs, graph.state, {name: now[value] for name, value in graph.outputs.items()})


def _whole(value: Value, shape: tuple[int, ...]) -> Value:
    if value.node.op != "reshape" or value.shape != shape[len(shape) - len(value.shape) :]:
        return value
    (given,) = value.node.inputs
    return given if given.shape == shape else value
