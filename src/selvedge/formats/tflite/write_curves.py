"""Float rows for which LiteRT has no operator, as several: each to the rounding of its largest number, not of each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from selvedge.ir import Node

from .write_pointwise import chosen, compared, scaled, shifted, times
from .writing import Rule, Writing

# Abramowitz and Stegun (1964), 7.1.26: within 1.5e-7.
ERF_SLOPE = 0.3275911
ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)


def _logarithm(base: float) -> Rule:
    return lambda w, node: scaled(w, w.like("LOG", w.of(node.inputs[0])), 1 / math.log(base), node)


def _tan(w: Writing, node: Node) -> int:
    x = w.of(node.inputs[0])
    return w.like("DIV", w.like("SIN", x), w.like("COS", x), node=node)


def _trunc(w: Writing, node: Node) -> int:
    x = w.of(node.inputs[0])
    return times(w, w.like("SIGN", x), w.like("FLOOR", w.like("ABS", x)), node)


def _below(w: Writing, x: int) -> int:
    """min(x, 0)."""
    return w.like("NEG", w.like("RELU", w.like("NEG", x)))


def _elu(w: Writing, node: Node) -> int:
    """max(x, 0) + alpha (exp(min(x, 0)) - 1)."""
    x = w.of(node.inputs[0])
    curve = scaled(w, shifted(w, w.like("EXP", _below(w, x)), -1), node.attrs["alpha"])
    return w.like("ADD", w.like("RELU", x), curve, node=node)


def _elu_grad(w: Writing, node: Node) -> int:
    dy, x = map(w.of, node.inputs)
    curve = times(w, dy, scaled(w, w.like("EXP", _below(w, x)), node.attrs["alpha"]))
    return chosen(w, compared(w, "LESS_EQUAL", x), curve, dy, node)


def softplus(w: Writing, x: int, node: Node | None = None) -> int:
    """max(x, 0) + log(1 + exp(-|x|))."""
    rest = w.like("LOG", shifted(w, w.like("EXP", w.like("NEG", w.like("ABS", x))), 1))
    return w.like("ADD", w.like("RELU", x), rest, node=node)


def _softplus_grad(w: Writing, node: Node) -> int:
    dy, x = map(w.of, node.inputs)
    return times(w, dy, w.like("LOGISTIC", x), node)


def erf(w: Writing, x: int, node: Node | None = None) -> int:
    t = w.floats("DIV", (w.real(1), shifted(w, scaled(w, w.like("ABS", x), ERF_SLOPE), 1)), w.shape(x))
    total = scaled(w, t, ERF[-1])
    for factor in reversed(ERF[:-1]):
        total = times(w, shifted(w, total, factor), t)
    tail = times(w, total, w.like("EXP", w.like("NEG", w.like("SQUARE", x))))
    return times(w, w.like("SIGN", x), shifted(w, w.like("NEG", tail), 1), node)


def _gelu(w: Writing, node: Node) -> int:
    return w.like("GELU", w.of(node.inputs[0]), node=node, approximate=node.attrs["approximate"] == "tanh")


def _gelu_grad(w: Writing, node: Node) -> int:
    """dy (1 + s) / 2 + dy x s' / 2, where s is the error function of x / sqrt(2), or the tanh that stands for it."""
    dy, x = map(w.of, node.inputs)
    square = w.like("SQUARE", x)
    if node.attrs["approximate"] == "tanh":
        root = math.sqrt(2 / math.pi)
        cube = scaled(w, times(w, x, square), 0.044715)
        s = w.like("TANH", scaled(w, w.like("ADD", x, cube), root))
        inner = shifted(w, scaled(w, square, 3 * 0.044715 * root), root)
        slope = times(w, inner, shifted(w, w.like("NEG", w.like("SQUARE", s)), 1))
    else:
        s = erf(w, scaled(w, x, math.sqrt(0.5)))
        slope = scaled(w, w.like("EXP", scaled(w, square, -0.5)), math.sqrt(2 / math.pi))
    whole = w.like("ADD", shifted(w, s, 1), times(w, x, slope))
    return times(w, dy, scaled(w, whole, 0.5), node)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "elu": _elu,
        "elu_grad": _elu_grad,
        "erf": lambda w, node: erf(w, w.of(node.inputs[0]), node),
        "gelu": _gelu,
        "gelu_grad": _gelu_grad,
        "log10": _logarithm(10),
        "log2": _logarithm(2),
        "softplus": lambda w, node: softplus(w, w.of(node.inputs[0]), node),
        "softplus_grad": _softplus_grad,
        "tan": _tan,
        "trunc": _trunc,
    }
)
