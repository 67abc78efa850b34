"""The same graph with less to do: constants folded, neutral elements and copies of a computation gone."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from .build import constant
from .graph import LEAVES, Graph, Node, Value, topological
from .interpret import evaluate_node

FOLDED_ELEMENTS = 1024


def simplified(graph: Graph) -> Graph:
    """``graph`` rewritten, leaves kept: state and input nodes are the same objects afterwards.

    - A node of constants that has at most ``FOLDED_ELEMENTS`` elements becomes a constant.
    - x * 1, x + 0, x - 0 and x / 1 become x, where the shape stays.
    - Two nodes of the same op, inputs and attributes become one.
    """
    now: dict[Value, Value] = {}
    known: dict[Hashable, Node] = {}
    for node in topological(v.node for v in graph.outputs.values()):
        for index, value in enumerate(_rewritten(node, tuple(now[v] for v in node.inputs), known)):
            now[Value(node, index)] = value
    outputs = {name: now[value] for name, value in graph.outputs.items()}
    return Graph(graph.inputs, graph.state, outputs)


def _rewritten(node: Node, inputs: tuple[Value, ...], known: dict[Hashable, Node]) -> list[Value]:
    if inputs and all(v.node.op == "constant" for v in inputs) and node.specs[0].size <= FOLDED_ELEMENTS:
        arrays = evaluate_node(node, [v.node.attrs["value"] for v in inputs])
        return [_shared(constant(a, s.dtype, s.quant), known) for a, s in zip(arrays, node.specs, strict=True)]
    neutral = _neutral(node, inputs)
    if neutral is not None:
        return [neutral]
    if inputs != node.inputs:
        node = Node(node.op, inputs, node.specs, node.attrs, node.where)
    return [Value(_shared(Value(node), known).node, index) for index in range(len(node.specs))]


def _shared(value: Value, known: dict[Hashable, Node]) -> Value:
    node = value.node
    key = None if node.op in LEAVES and node.op != "constant" else _key(node)
    return value if key is None else Value(known.setdefault(key, node), value.index)


def _key(node: Node) -> Hashable | None:
    """Equal for nodes that compute the same; None where attributes cannot be compared."""
    try:
        attrs = tuple((name, _frozen(node.attrs[name])) for name in sorted(node.attrs))
        hash(attrs)
    except TypeError:
        return None
    return node.op, node.inputs, attrs, tuple(spec.quant for spec in node.specs)


def _frozen(attribute: Any) -> Hashable:
    if isinstance(attribute, np.ndarray):
        return attribute.dtype.name, attribute.shape, attribute.tobytes()
    if isinstance(attribute, Mapping):
        raise TypeError("a mapping has no order")
    return type(attribute), attribute


_NEUTRAL = {"mul": (1, (0, 1)), "add": (0, (0, 1)), "sub": (0, (1,)), "div": (1, (1,))}


def _neutral(node: Node, inputs: tuple[Value, ...]) -> Value | None:
    """The other operand, where one is the constant that changes nothing."""
    if node.op not in _NEUTRAL:
        return None
    element, positions = _NEUTRAL[node.op]
    for position in positions:
        operand, other = inputs[position], inputs[1 - position]
        if operand.node.op != "constant" or other.spec != node.specs[0]:
            continue
        if bool(np.all(operand.node.attrs["value"] == element)):
            return other
    return None
