"""Sums and products of two, clamps, and functions of one value: tables of 256."""

from __future__ import annotations

import numpy as np

from ..build import constant
from ..graph import Node, Value, topological
from ..integer.convert import dequantise
from ..integer.requantise import INT8_MAX, INT8_MIN
from ..integer.table import FUNCTIONS, entries, table
from ..interpret import evaluate_node
from ..op import TABLE, apply
from ..quant import Quant
from .fixed import fixed
from .layers import biased
from .reductions import mean
from .rule import Join

MOST_NODES = 64  # of one function


def clamp(node: Node) -> str | None:
    """The name of the fused activation that ``node`` is, if it is one."""
    if node.op == "relu":
        return "relu"
    if node.op not in ("hardtanh", "clamp"):
        return None
    ends = float(node.attrs["min"]), float(node.attrs["max"])
    return {(0.0, 6.0): "relu6", (-1.0, 1.0): "relu_n1_to_1", (0.0, np.inf): "relu"}.get(ends)


def add(join: Join, node: Node, y: Quant, activation: str) -> Value | None:
    """Two activations, or a layer and its bias."""
    made = biased(join, node, y, activation)
    return made if made is not None else _two("int8_add", join, node, y, activation)


def mul(join: Join, node: Node, y: Quant, activation: str) -> Value | None:
    """Two activations, or a sum and one over its count, which is a mean."""
    made = mean(join, node, y, activation)
    return made if made is not None else _two("int8_mul", join, node, y, activation)


def _two(op: str, join: Join, node: Node, y: Quant, activation: str) -> Value | None:
    a, b = map(join.integer, node.inputs)
    if a is None or b is None:
        return None
    quants = a.spec.quant, b.spec.quant
    return apply(op, a, b, quants=quants, quant=y, activation=activation, where=node.where)


def function(join: Join, value: Value, y: Quant) -> Value | None:
    """``value`` as a function of one int8 value, element by element, with constants of one element: its 256 results in
    float32. LiteRT's own sigmoid and tanh are their tables."""
    walk = _walk(join, value)
    if walk is None:
        return None
    nodes, real, x = walk
    given = x.spec.quant
    assert given is not None
    name = {"sigmoid": "logistic", "tanh": "tanh"}.get(value.node.op)
    if name in FUNCTIONS and value.node.inputs[0] == real:
        found = table(name, given, y)
    else:
        every = dequantise(np.arange(INT8_MIN, INT8_MAX + 1), by=given)
        found = entries(_evaluated(nodes, real, every, value), y)
    return apply("int8_table", x, constant(found), quants=(given,), quant=y, where=value.node.where)


def _walk(join: Join, value: Value) -> tuple[list[Node], Value, Value] | None:
    """(the elementwise nodes that make ``value``, the one value they read, that value as int8)."""
    inside: dict[Value, None] = {}
    source: Value | None = None
    found: Value | None = None
    left = [value]
    while left:
        v = left.pop()
        if v in inside or v == source or _number(v) is not None:
            continue
        x = join.integer(v) if v != value else None
        if x is not None:
            if (source is not None and v != source) or v.shape != value.shape:
                return None
            source, found = v, x
        elif TABLE.get(v.node.op) is not None and TABLE[v.node.op].elementwise and v.shape == value.shape:
            inside[v] = None
            left += v.node.inputs
        else:
            return None
        if len(inside) > MOST_NODES:
            return None
    if source is None or found is None:
        return None
    order = [n for n in topological([value.node]) if any(v.node is n for v in inside)]
    return order, source, found


def _number(value: Value) -> np.ndarray | None:
    """A constant of one element, as an array without axes."""
    if value.spec.size != 1:
        return None
    known = fixed(value)
    if known is None:
        return None
    array = known.steps if known.scale is None else known.real.astype(np.float32)
    return array.reshape(())


def _evaluated(nodes: list[Node], source: Value, every: np.ndarray, value: Value) -> np.ndarray:
    memory = {source: every.astype(source.dtype)}
    for node in nodes:
        arrays = [memory[v] if v in memory else np.asarray(_number(v)) for v in node.inputs]
        for i, array in enumerate(evaluate_node(node, arrays)):
            memory[Value(node, i)] = array
    return memory[value]
