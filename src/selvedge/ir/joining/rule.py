"""What a rule is given and what it gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..graph import Node, Value
from ..op import apply
from ..quant import Quant


class Join(Protocol):
    """The pass, as its rules see it. Values that are given are of the graph as it was, values that come back of the
    graph that is made."""

    def integer(self, value: Value) -> Value | None:
        """The int8 value of which ``value`` is the real one; None where there is none."""

    def quantised(self, value: Value, y: Quant, activation: str = "none") -> Value | None:
        """``value`` behind ``activation``, as int8 of ``y``, computed in integers; None where that cannot be."""


Rule = Callable[[Join, Node, Quant, str], Value | None]
"""(the pass, a float node, how its result is quantised, the fused activation) -> its int8 value, None: it stays float.

Raises ``ValueError`` where a row refuses the scales: the node stays float then too."""


def needed(activation: str, y: Quant) -> str:
    """The least that clamps int8 of ``y`` as ``activation``: six is out of reach where a step is small, and where the
    scale of a dead layer is, a row would refuse it."""
    beyond = 6 / y.scale[0] + y.zero_point[0] > 127
    return "relu" if activation == "relu6" and beyond else activation


def requantised(x: Value, y: Quant, activation: str = "none", where: str = "") -> Value:
    """int8 ``x`` behind ``activation``, as int8 of ``y``."""
    given = x.spec.quant
    if activation != "none":
        return apply("int8_relu", x, quants=(given,), quant=y, activation=activation, where=where)
    return x if given == y else apply("requantise", x, quants=(given,), quant=y, where=where)
