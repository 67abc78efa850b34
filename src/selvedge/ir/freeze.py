"""A graph with other values in the place of some: state as constants, say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .build import constant
from .graph import Graph, Node, Value


def frozen(graph: Graph, state: Mapping[str, np.ndarray]) -> Graph:
    """``graph`` with the leaves that ``state`` names as constants of its arrays, which are stored arrays.

    Raises ``ValueError`` for one that an output replaces, or whose array is of another shape or dtype.
    """
    known = {
        leaf: _constant(leaf.node, state[name], name in graph.updates)
        for name, leaf in graph.state.items()
        if name in state
    }
    left = {name: leaf for name, leaf in graph.state.items() if name not in state}
    return Graph(graph.inputs, left, replaced(graph, known).outputs)


def replaced(graph: Graph, by: Mapping[Value, Value]) -> Graph:
    """``graph`` with other values in the place of some, each of the spec of what it replaces. Leaves stay listed."""
    now: dict[Value, Value] = {}
    for node in graph.nodes():
        made = node
        if any(now[v] != v for v in node.inputs):
            made = Node(node.op, tuple(now[v] for v in node.inputs), node.specs, node.attrs, node.where)
        for i in range(len(node.specs)):
            now[Value(node, i)] = by.get(Value(node, i), Value(made, i))
    return Graph(graph.inputs, graph.state, {name: now[value] for name, value in graph.outputs.items()})


def _constant(leaf: Node, array: np.ndarray, updated: bool) -> Value:
    spec, name = leaf.specs[0], leaf.attrs["name"]
    if updated:
        raise ValueError(f"state {name!r} is updated: it cannot be a constant")
    if (array.shape, array.dtype.name) != (spec.shape, spec.dtype):
        raise ValueError(f"state {name!r} is {array.dtype.name}{list(array.shape)}; must be {spec}")
    return constant(array, quant=spec.quant)
