"""A graph with state as constants."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .build import constant
from .graph import Graph, Node, Value


def frozen(graph: Graph, state: Mapping[str, np.ndarray]) -> Graph:
    """``graph`` with the leaves that ``state`` names as constants of its arrays, which are stored arrays.

    Raises ``ValueError`` for one that an output replaces, or whose array is of another shape or dtype.
    """
    now: dict[Value, Value] = {}
    for node in graph.nodes():
        made = node
        if node.op == "state" and node.attrs["name"] in state:
            made = _constant(node, state[node.attrs["name"]], node.attrs["name"] in graph.updates).node
        elif any(now[v] != v for v in node.inputs):
            made = Node(node.op, tuple(now[v] for v in node.inputs), node.specs, node.attrs, node.where)
        now.update((Value(node, i), Value(made, i)) for i in range(len(node.specs)))
    left = {name: leaf for name, leaf in graph.state.items() if name not in state}
    return Graph(graph.inputs, left, {name: now[value] for name, value in graph.outputs.items()})


def _constant(leaf: Node, array: np.ndarray, updated: bool) -> Value:
    spec, name = leaf.specs[0], leaf.attrs["name"]
    if updated:
        raise ValueError(f"state {name!r} is updated: it cannot be a constant")
    if (array.shape, array.dtype.name) != (spec.shape, spec.dtype):
        raise ValueError(f"state {name!r} is {array.dtype.name}{list(array.shape)}; must be {spec}")
    return constant(array, quant=spec.quant)
