"""The slow reference: a graph evaluated in numpy, node by node, each by its row's own meaning."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .graph import Graph, Node, Value, consumers
from .op import TABLE, Arrays


def evaluate_node(node: Node, arrays: Arrays) -> tuple[np.ndarray, ...]:
    """The results of one node (not a leaf) for the given input arrays."""
    with np.errstate(all="ignore"):
        return tuple(map(np.asarray, TABLE[node.op].evaluate(arrays, node.attrs)))


def interpret(
    graph: Graph,
    inputs: Mapping[str, np.ndarray],
    state: Mapping[str, np.ndarray],
    *,
    dtype: str | None = None,
) -> dict[str, np.ndarray]:
    """Every output of ``graph``, by name. Arrays come and go in the stored layout of their leaves.

    ``dtype`` ("float32" or "float64") evaluates in that precision instead of the one of the graph's specs.
    An array is let go after its last reader. Raises ``ValueError`` for a leaf whose array is missing or of
    another shape.
    """
    nodes = graph.nodes()
    pending = {value: len(readers) for value, readers in consumers(nodes).items()}
    kept = set(graph.outputs.values())
    memory: dict[Value, np.ndarray] = {}
    for node in nodes:
        if node.inputs:
            arrays = evaluate_node(node, [memory[v] for v in node.inputs])
        else:
            arrays = (_leaf(node, inputs, state, dtype),)
        memory.update((Value(node, i), array) for i, array in enumerate(arrays))
        for value in dict.fromkeys(node.inputs):
            pending[value] -= 1
            if not pending[value] and value not in kept:
                del memory[value]
    return {name: memory[value] for name, value in graph.outputs.items()}


def _leaf(
    node: Node, inputs: Mapping[str, np.ndarray], state: Mapping[str, np.ndarray], dtype: str | None
) -> np.ndarray:
    spec = node.specs[0]
    if node.op == "constant":
        array = np.asarray(node.attrs["value"])
    else:
        name, given = node.attrs["name"], inputs if node.op == "input" else state
        if name not in given:
            raise ValueError(f"{node.op} {name!r} is missing; given: {', '.join(given) or 'nothing'}")
        array = np.asarray(given[name])
        if array.shape != spec.shape:
            raise ValueError(f"{node.op} {name!r} has shape {array.shape}; must be {spec.shape}")
    return array.astype(dtype if dtype and spec.is_float else spec.dtype, copy=False)
