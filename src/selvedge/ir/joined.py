"""The pass that joins: float rows between ``dequantise`` and ``quantise`` become int8 rows.

What PT2E and ONNX call quantised is float arithmetic between rows that round: dequantise, compute, quantise. This pass
finds below each ``quantise`` what is computed since the last ``dequantise``, and writes it as the int8 row that means
the same in integers (ADR 0024); what no row means stays float, with a ``quantise`` and a ``dequantise`` at its ends.
A float result rounds at most once where the integers round, so that they differ by at most one step a layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from .build import constant
from .graph import Graph, Node, Value
from .integer.convert import quantise
from .integer.requantise import INT8_MAX, INT8_MIN
from .integer.requantise import clamp as ends
from .joining.fixed import MOVES as CONSTANT
from .joining.fixed import fixed
from .joining.layers import LAYERS
from .joining.pointwise import add, clamp, function, mul
from .joining.reductions import average_pool, softmax
from .joining.rule import Rule, needed, requantised
from .op import apply
from .quant import Quant

RULES: Mapping[str, Rule] = MappingProxyType(
    {**LAYERS, "add": add, "mul": mul, "avg_pool": average_pool, "softmax": softmax}
)
# Rows of one float value that give some of its elements: what is quantised before them is so behind them.
MOVES = ("reshape", "transpose", "slice", "pad", "nearest", "max_pool")


def joined(graph: Graph) -> Graph:
    """``graph`` with the int8 rows that its quantised rows mean. Weights and biases must be constants (:func:`.frozen`)
    to be joined; one that only a float row reads becomes a float constant. Leaves stay the same. It comes before
    :func:`.simplified`, which would make the real numbers of small weights and forget their integers."""
    join = _Joining()
    for node in graph.nodes():
        join.take(node)
    return Graph(graph.inputs, graph.state, {name: join.now[value] for name, value in graph.outputs.items()})


class _Joining:
    """``now``: of the values of the graph as it was, each made from those before it."""

    def __init__(self) -> None:
        self.now: dict[Value, Value] = {}
        self.integers: dict[Value, Value | None] = {}
        self.made: dict[tuple[Value, Quant, str], Value | None] = {}

    def take(self, node: Node) -> None:
        """What ``node`` becomes."""
        if node.op == "quantise":
            made = self.quantised(node.inputs[0], node.attrs["quant"])
            if made is not None:
                self.now[Value(node)] = made
                return
        known = fixed(Value(node)) if node.op == "dequantise" or node.op in CONSTANT else None
        if known is not None and known.scale is not None:
            self.now[Value(node)] = constant(known.real, node.specs[0].dtype)
            return
        same = all(self.now[v] == v for v in node.inputs)
        made_of = node if same else Node(node.op, tuple(map(self.now.__getitem__, node.inputs)), node.specs,
                                         node.attrs, node.where)  # fmt: skip
        for i in range(len(node.specs)):
            self.now[Value(node, i)] = Value(made_of, i)

    def integer(self, value: Value) -> Value | None:
        """See :class:`.joining.rule.Join`."""
        if value not in self.integers:
            self.integers[value] = self._integer(value)
        return self.integers[value]

    def _integer(self, value: Value) -> Value | None:
        node = value.node
        if node.op == "dequantise":
            x, quant = node.inputs[0], node.attrs["quants"][0]
            plain = x.dtype == "int8" and quant.axis is None and -128 <= quant.zero_point[0] <= 127
            return self.now[x] if plain else None
        if node.op not in (*MOVES, "concat") or value.index:
            return None
        parts = [self.integer(v) for v in node.inputs]
        known = [p for p in parts if p is not None]
        if len(known) < len(parts) or len({p.spec.quant for p in known}) > 1:
            return None
        return _moved(node, known) if node.op != "pad" or _reaches(known[0].spec.quant, node.attrs["value"]) else None

    def quantised(self, value: Value, y: Quant, activation: str = "none") -> Value | None:
        """See :class:`.joining.rule.Join`."""
        activation = needed(activation, y)
        key = value, y, activation
        if key not in self.made:
            try:
                self.made[key] = self._quantised(value, y, activation)
            except ValueError:  # a row that refuses these scales
                self.made[key] = None
        return self.made[key]

    def _quantised(self, value: Value, y: Quant, activation: str) -> Value | None:
        node = value.node
        x = self.integer(value)
        if x is not None:
            return requantised(x, y, activation, node.where)
        if node.op in (*MOVES, "concat") and not value.index:
            parts = [self.quantised(v, y, activation) for v in node.inputs]
            known = [p for p in parts if p is not None]
            return _moved(node, known, activation) if len(known) == len(parts) else None
        fused = clamp(node)
        made = None
        if fused is not None and activation == "none":
            made = self.quantised(node.inputs[0], y, fused)
        elif node.op in RULES:
            made = RULES[node.op](self, node, y, activation)
        if made is None and activation == "none":
            made = function(self, value, y)
        return made


def _moved(node: Node, parts: list[Value], activation: str = "none") -> Value:
    """``node`` of int8 values of one scale; what it puts around them goes through ``activation`` as they did."""
    attrs = dict(node.attrs)
    if node.op == "pad":
        quant = parts[0].spec.quant
        assert quant is not None
        low, high = ends(quant, activation)
        attrs["value"] = min(max(int(quantise(np.array(attrs["value"], np.float32), by=quant)), low), high)
    return apply(node.op, *parts, where=node.where, **attrs)


def _reaches(quant: Quant | None, value: float) -> bool:
    """Is ``value`` within half a step of a number of ``quant``?"""
    assert quant is not None
    steps = value / quant.scale[0] + quant.zero_point[0]
    return INT8_MIN - 0.5 <= steps <= INT8_MAX + 0.5
