"""Float rows element by element, as operators.

LiteRT's kernels are quick for operands of one shape and for sums and products with one number; where they choose or
compare they are slow for operands that broadcast. So a comparison with a number is one of the difference with zeros.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from selvedge.ir import Node, Spec

from .writing import Rule, Writing

# Rows that are one operator.
UNARY = {
    "abs": "ABS", "ceil": "CEIL", "cos": "COS", "exp": "EXP", "floor": "FLOOR", "hardswish": "HARD_SWISH",
    "log": "LOG", "neg": "NEG", "relu": "RELU", "round": "ROUND", "rsqrt": "RSQRT", "sigmoid": "LOGISTIC",
    "sign": "SIGN", "sin": "SIN", "sqrt": "SQRT", "square": "SQUARE", "tanh": "TANH", "zero": "ZEROS_LIKE",
}  # fmt: skip
ARITHMETIC = {"add": "ADD", "div": "DIV", "mul": "MUL", "sub": "SUB"}
BINARY = {
    "equal": "EQUAL", "greater": "GREATER", "greater_equal": "GREATER_EQUAL", "less": "LESS",
    "less_equal": "LESS_EQUAL", "maximum": "MAXIMUM", "minimum": "MINIMUM", "not_equal": "NOT_EQUAL",
}  # fmt: skip
BOUNDED = {(0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1"}
REDUCED = {"reduce_max": "REDUCE_MAX", "reduce_sum": "SUM"}


def _unary(name: str) -> Rule:
    return lambda w, node: w.floats(name, (w.of(node.inputs[0]),), node.specs[0].shape, node)


def _arithmetic(name: str) -> Rule:
    def rule(w: Writing, node: Node) -> int:
        chain = w.fused.of(node)
        return w.floats(
            name, tuple(map(w.of, node.inputs)), node.specs[0].shape, chain.last, activation=chain.activation
        )

    return rule


def _binary(name: str) -> Rule:
    return lambda w, node: w.operator(name, tuple(map(w.of, node.inputs)), node.specs[0], node)


def scaled(w: Writing, place: int, factor: float, node: Node | None = None) -> int:
    return w.like("MUL", place, w.real(factor), node=node)


def shifted(w: Writing, place: int, by: float) -> int:
    return place if by == 0 else w.like("ADD", place, w.real(by))


def times(w: Writing, a: int, b: int, node: Node | None = None) -> int:
    return w.like("MUL", a, b, node=node)


def compared(w: Writing, name: str, place: int, number: float = 0.0) -> int:
    """Each element with ``number``: bool."""
    place = shifted(w, place, -number)
    return w.operator(name, (place, w.zeros_like(place)), Spec(w.shape(place), "bool"))


def chosen(w: Writing, condition: int, yes: int, no: int, node: Node | None = None) -> int:
    """All of one shape."""
    return w.floats("SELECT_V2", (condition, yes, no), w.shape(yes), node)


def kept(w: Writing, outside: int, dy: int, node: Node) -> int:
    """``dy``, and 0 ``outside``."""
    return chosen(w, outside, w.zeros_like(dy), dy, node)


def _clamp(w: Writing, node: Node) -> int:
    place, low, high = w.of(node.inputs[0]), float(node.attrs["min"]), float(node.attrs["max"])
    if (low, high) in BOUNDED:
        return w.like(BOUNDED[low, high], place, node=node)
    if not math.isfinite(low) and not math.isfinite(high):
        return w.reshaped(place, node.specs[0].shape, node)
    if math.isfinite(low):
        place = w.like("MAXIMUM", place, w.real(low), node=None if math.isfinite(high) else node)
    return w.like("MINIMUM", place, w.real(high), node=node) if math.isfinite(high) else place


def _relu_grad(w: Writing, node: Node) -> int:
    dy, y = map(w.of, node.inputs)
    return kept(w, compared(w, "LESS_EQUAL", y), dy, node)


def _hardtanh_grad(w: Writing, node: Node) -> int:
    """Inside, (y - low)(high - y) is positive."""
    dy, y = map(w.of, node.inputs)
    inside = times(w, shifted(w, y, -node.attrs["min"]), w.like("ADD", w.like("NEG", y), w.real(node.attrs["max"])))
    return kept(w, compared(w, "LESS_EQUAL", inside), dy, node)


def _clamp_grad(w: Writing, node: Node) -> int:
    dy, x = map(w.of, node.inputs)
    for low, name in ((True, "LESS"), (False, "GREATER")):
        bound = float(node.attrs["min" if low else "max"])
        if math.isfinite(bound):
            dy = chosen(w, compared(w, name, x, bound), w.zeros_like(dy), dy)
    return w.reshaped(dy, node.specs[0].shape, node)


def _hardsigmoid(w: Writing, node: Node) -> int:
    ramp = w.like("ADD", w.of(node.inputs[0]), w.real(3), activation="relu6")
    return scaled(w, ramp, 1 / 6, node)


def _hardsigmoid_grad(w: Writing, node: Node) -> int:
    dy, x = map(w.of, node.inputs)
    return kept(w, compared(w, "GREATER_EQUAL", w.like("ABS", x), 3), scaled(w, dy, 1 / 6), node)


def _hardswish_grad(w: Writing, node: Node) -> int:
    """Of x <= -3 nothing, of x >= 3 all, between them dy (x / 3 + 1 / 2)."""
    dy, x = map(w.of, node.inputs)
    between = times(w, dy, shifted(w, scaled(w, x, 1 / 3), 0.5))
    upper = chosen(w, compared(w, "LESS", x, 3), between, dy)
    return kept(w, compared(w, "LESS_EQUAL", x, -3), upper, node)


def _sigmoid_grad(w: Writing, node: Node) -> int:
    dy, y = map(w.of, node.inputs)
    return times(w, dy, times(w, y, _less_than_one(w, y)), node)


def _less_than_one(w: Writing, place: int) -> int:
    """1 - x."""
    return w.like("ADD", w.like("NEG", place), w.real(1))


def _tanh_grad(w: Writing, node: Node) -> int:
    dy, y = map(w.of, node.inputs)
    return times(w, dy, _less_than_one(w, w.like("SQUARE", y)), node)


def _silu(w: Writing, node: Node) -> int:
    x = w.of(node.inputs[0])
    return times(w, x, w.like("LOGISTIC", x), node)


def _silu_grad(w: Writing, node: Node) -> int:
    """dy s (1 + x (1 - s))."""
    dy, x = map(w.of, node.inputs)
    s = w.like("LOGISTIC", x)
    return times(w, dy, times(w, s, shifted(w, times(w, x, _less_than_one(w, s)), 1)), node)


def _leaky_relu(w: Writing, node: Node) -> int:
    return w.like("LEAKY_RELU", w.of(node.inputs[0]), node=node, alpha=float(node.attrs["slope"]))


def _leaky_relu_grad(w: Writing, node: Node) -> int:
    dy, x = map(w.of, node.inputs)
    return chosen(w, compared(w, "GREATER", x), dy, scaled(w, dy, node.attrs["slope"]), node)


def _reciprocal(w: Writing, node: Node) -> int:
    x = w.of(node.inputs[0])
    return w.floats("DIV", (w.real(1), x), w.shape(x), node)


def _power(w: Writing, node: Node) -> int:
    x = w.of(node.inputs[0])
    exponent = w.constant(np.full(w.shape(x), node.attrs["exponent"], np.float32))
    return w.like("POW", x, exponent, node=node)


def _where(w: Writing, node: Node) -> int:
    return w.operator("SELECT_V2", tuple(map(w.of, node.inputs)), node.specs[0], node)


def _convert(w: Writing, node: Node) -> int:
    return w.operator("CAST", (w.of(node.inputs[0]),), node.specs[0], node)


def _detach(w: Writing, node: Node) -> int:
    return w.reshaped(w.of(node.inputs[0]), node.specs[0].shape, node)


def _reduce(name: str) -> Rule:
    def rule(w: Writing, node: Node) -> int:
        inputs = (w.of(node.inputs[0]), w.numbers(node.attrs["axes"]))
        return w.floats(name, inputs, node.specs[0].shape, node, keep_dims=bool(node.attrs["keepdims"]))

    return rule


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        **{row: _unary(name) for row, name in UNARY.items()},
        **{row: _arithmetic(name) for row, name in ARITHMETIC.items()},
        **{row: _binary(name) for row, name in BINARY.items()},
        **{row: _reduce(name) for row, name in REDUCED.items()},
        "clamp": _clamp,
        "clamp_grad": _clamp_grad,
        "convert": _convert,
        "detach": _detach,
        "hardsigmoid": _hardsigmoid,
        "hardsigmoid_grad": _hardsigmoid_grad,
        "hardswish_grad": _hardswish_grad,
        "hardtanh": _clamp,
        "hardtanh_grad": _hardtanh_grad,
        "leaky_relu": _leaky_relu,
        "leaky_relu_grad": _leaky_relu_grad,
        "power": _power,
        "reciprocal": _reciprocal,
        "relu_grad": _relu_grad,
        "sigmoid_grad": _sigmoid_grad,
        "silu": _silu,
        "silu_grad": _silu_grad,
        "tanh_grad": _tanh_grad,
        "where": _where,
    }
)
