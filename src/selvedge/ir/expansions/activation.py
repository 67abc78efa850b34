"""The gradients of activations and of softmax. Boundaries are those of the rows: see ``ops/activation.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import pi, sqrt

from ..build import scalar
from ..graph import Node, Value
from ..op import apply
from .rule import Rule, add, compare, mul, sub, total, where


def _one(meaning: Callable[..., Value], *fields: str) -> Rule:
    """A rule of one result: meaning(*inputs, *attributes)."""

    def rule(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
        return (meaning(*inputs, *(node.attrs[field] for field in fields)),)

    return rule


def _div(x: Value, by: float) -> Value:
    return apply("div", x, scalar(by, x))


def _relu(dy: Value, y: Value) -> Value:
    return where(compare("less_equal", y, 0), 0, dy)


def _hardtanh(dy: Value, y: Value, low: float, high: float) -> Value:
    return where(compare("less_equal", y, low), 0, where(compare("greater_equal", y, high), 0, dy))


def _clamp(dy: Value, x: Value, low: float, high: float) -> Value:
    return where(compare("greater_equal", x, low), where(compare("less_equal", x, high), dy, 0), 0)


def _hardswish(dy: Value, x: Value) -> Value:
    inside = mul(dy, add(_div(x, 3), 0.5))
    return where(compare("less_equal", x, -3), 0, where(compare("less", x, 3), inside, dy))


def _hardsigmoid(dy: Value, x: Value) -> Value:
    return where(compare("greater", x, -3), where(compare("less", x, 3), _div(dy, 6), 0), 0)


def _sigmoid(dy: Value, y: Value) -> Value:
    return mul(mul(dy, y), sub(1, y))


def _tanh(dy: Value, y: Value) -> Value:
    return mul(dy, sub(1, mul(y, y)))


def _silu(dy: Value, x: Value) -> Value:
    s = apply("sigmoid", x)
    return mul(mul(dy, s), add(mul(x, sub(1, s)), 1))


def _gelu(dy: Value, x: Value, approximate: str) -> Value:
    square = mul(x, x)
    if approximate == "tanh":
        t = apply("tanh", mul(add(x, mul(mul(square, x), 0.044715)), sqrt(2 / pi)))
        bend = mul(mul(mul(x, 0.5), sub(1, mul(t, t))), mul(add(mul(square, 3 * 0.044715), 1), sqrt(2 / pi)))
        return mul(dy, add(mul(add(t, 1), 0.5), bend))
    density = mul(mul(x, apply("exp", mul(square, -0.5))), 1 / sqrt(2 * pi))
    return mul(dy, add(mul(add(apply("erf", mul(x, sqrt(0.5))), 1), 0.5), density))


def _leaky_relu(dy: Value, x: Value, slope: float) -> Value:
    return where(compare("greater", x, 0), dy, mul(dy, slope))


def _elu(dy: Value, x: Value, alpha: float) -> Value:
    below = mul(mul(dy, alpha), apply("exp", apply("minimum", x, scalar(0, x))))
    return where(compare("less_equal", x, 0), below, dy)


def _softplus(dy: Value, x: Value) -> Value:
    return where(compare("greater", x, 20), dy, mul(dy, apply("sigmoid", x)))


def _softmax(dy: Value, y: Value) -> Value:
    return mul(y, apply("sub", dy, total(mul(dy, y))))


def _log_softmax(dy: Value, y: Value) -> Value:
    return apply("sub", dy, mul(apply("exp", y), total(dy)))


ACTIVATION: dict[str, Rule] = {
    "clamp_grad": _one(_clamp, "min", "max"),
    "elu_grad": _one(_elu, "alpha"),
    "gelu_grad": _one(_gelu, "approximate"),
    "hardsigmoid_grad": _one(_hardsigmoid),
    "hardswish_grad": _one(_hardswish),
    "hardtanh_grad": _one(_hardtanh, "min", "max"),
    "leaky_relu_grad": _one(_leaky_relu, "slope"),
    "log_softmax_grad": _one(_log_softmax),
    "relu_grad": _one(_relu),
    "sigmoid_grad": _one(_sigmoid),
    "silu_grad": _one(_silu),
    "softmax_grad": _one(_softmax),
    "softplus_grad": _one(_softplus),
    "tanh_grad": _one(_tanh),
}
