"""Rows of one element at a time, sums and products."""

from __future__ import annotations

from collections.abc import Callable
from math import log, pi, sqrt
from typing import Any

from tvm import relax, te
from tvm import tirx as tir

from selvedge.ir import Node, Value

from .sheet import Row, Sheet, at, elements, kind, number

Expression = Any


def elementwise(meaning: Callable[..., Expression], *fields: str) -> Row:
    """meaning(*elements, *attributes)."""

    def row(sheet: Sheet, node: Node) -> None:
        shape, numbers = node.specs[0].shape, [node.attrs[f] for f in fields]

        def body(*tensors: Any) -> Any:
            return elements(shape, lambda *i: meaning(*(at(t, i) for t in tensors), *numbers))

        sheet.compute_values(node, body)

    return row


def _n(like: Expression, value: float) -> Expression:
    return number(value, kind(like))


def clipped(x: Expression, low: float, high: float) -> Expression:
    """A NaN stays: a comparison with it is false."""
    return tir.Select(x < _n(x, low), _n(x, low), tir.Select(x > _n(x, high), _n(x, high), x))


def magnitude(x: Expression) -> Expression:
    """TVM's own writes an intrinsic that its C has not."""
    return tir.Select(x < _n(x, 0), -x, x)


def _ramp(x: Expression) -> Expression:
    return clipped(x + _n(x, 3), 0, 6)


def _sigmoid(x: Expression) -> Expression:
    return _n(x, 1) / (_n(x, 1) + tir.exp(-x))


def _tanh(x: Expression) -> Expression:
    """By exp of what is not above zero, as no tanh of LLVM's is exact to the last bits."""
    e = tir.exp(_n(x, -2) * magnitude(x))
    y = (_n(x, 1) - e) / (_n(x, 1) + e)
    small = x * (_n(x, 1) - x * x / _n(x, 3))
    return tir.Select(magnitude(x) < _n(x, 1e-3), small, tir.Select(x < _n(x, 0), -y, y))


def _gelu(x: Expression, approximate: str) -> Expression:
    if approximate == "tanh":
        inner = _tanh(_n(x, sqrt(2 / pi)) * (x + _n(x, 0.044715) * x * x * x))
    else:
        inner = tir.erf(x * _n(x, sqrt(0.5)))
    return _n(x, 0.5) * x * (_n(x, 1) + inner)


def _softplus(x: Expression) -> Expression:
    return tir.Select(x > _n(x, 20), x, tir.log1p(tir.exp(tir.min(x, _n(x, 20)))))


def _expm1(x: Expression) -> Expression:
    """By its series where exp(x) - 1 would lose digits."""
    series = x * (_n(x, 1) + x * (_n(x, 1 / 2) + x * (_n(x, 1 / 6) + x * (_n(x, 1 / 24) + x * _n(x, 1 / 120)))))
    return tir.Select(magnitude(x) < _n(x, 0.1), series, tir.exp(x) - _n(x, 1))


def _elu(x: Expression, alpha: float) -> Expression:
    return tir.Select(x > _n(x, 0), x, _n(x, alpha) * _expm1(tir.min(x, _n(x, 0))))


def _sign(x: Expression) -> Expression:
    return tir.Select(x > _n(x, 0), _n(x, 1), tir.Select(x < _n(x, 0), _n(x, -1), x * _n(x, 0)))


def _round(x: Expression) -> Expression:
    return tir.nearbyint(x)


def _power(x: Expression, exponent: float) -> Expression:
    if float(exponent).is_integer() and 0 <= exponent <= 8:
        made = _n(x, 1)
        for _ in range(int(exponent)):
            made = made * x
        return made
    return tir.pow(x, _n(x, exponent))


def _maximum(a: Expression, b: Expression) -> Expression:
    """NaN wins, as in numpy."""
    return tir.Select(a != a, a, tir.Select(a > b, a, b))


def _minimum(a: Expression, b: Expression) -> Expression:
    return tir.Select(a != a, a, tir.Select(a < b, a, b))


def reduced(sheet: Sheet, node: Node, most: bool) -> None:
    (x,), axes, keep = node.inputs, node.attrs["axes"], bool(node.attrs["keepdims"])
    extents = x.shape

    def body(tensor: Any) -> Any:
        over = [te.reduce_axis((0, extents[a]), name=f"r{a}") for a in axes]

        def element(*i: Any) -> Any:
            place, rest, runs = [], list(i), iter(over)
            for a in range(len(extents)):
                if a in axes:
                    place.append(next(runs))
                    if keep:
                        rest.pop(0)
                else:
                    place.append(rest.pop(0))
            return te.max(tensor(*place), axis=over) if most else te.sum(tensor(*place), axis=over)

        return elements(node.specs[0].shape, element)

    sheet.compute_values(node, body)


def _softmax(op: str) -> Row:
    def row(sheet: Sheet, node: Node) -> None:
        made = getattr(relax.op.nn, op)(sheet.of(node.inputs[0]), axis=-1)
        sheet.put(Value(node), sheet.builder.emit(made))

    return row


_UNARY: dict[str, Callable[..., Expression]] = {
    "abs": magnitude, "acos": tir.acos, "acosh": tir.acosh, "asin": tir.asin, "asinh": tir.asinh, "atan": tir.atan,
    "atanh": tir.atanh, "ceil": tir.ceil, "cos": tir.cos, "cosh": tir.cosh, "erf": tir.erf, "exp": tir.exp,
    "erfc": lambda x: _n(x, 1) - tir.erf(x), "expm1": _expm1, "floor": tir.floor,
    "hardsigmoid": lambda x: _ramp(x) / _n(x, 6),
    "hardswish": lambda x: x * _ramp(x) / _n(x, 6), "log": tir.log, "log10": lambda x: tir.log(x) * _n(x, 1 / log(10)),
    "log1p": tir.log1p, "log2": lambda x: tir.log(x) * _n(x, 1 / log(2)), "neg": lambda x: -x,
    "reciprocal": lambda x: _n(x, 1) / x, "relu": lambda x: tir.Select(x < _n(x, 0), _n(x, 0), x), "round": _round,
    "rsqrt": lambda x: _n(x, 1) / tir.sqrt(x), "sigmoid": _sigmoid, "sign": _sign, "silu": lambda x: x * _sigmoid(x),
    "sin": tir.sin, "sinh": tir.sinh, "softplus": _softplus, "sqrt": tir.sqrt, "square": lambda x: x * x,
    "tan": tir.tan, "tanh": _tanh, "trunc": tir.trunc,
}  # fmt: skip
_BINARY: dict[str, Callable[..., Expression]] = {
    "add": lambda a, b: a + b, "div": lambda a, b: a / b, "equal": lambda a, b: tir.EQ(a, b),
    "greater": lambda a, b: a > b, "greater_equal": lambda a, b: a >= b, "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b, "maximum": _maximum, "minimum": _minimum, "mul": lambda a, b: a * b,
    "not_equal": lambda a, b: tir.NE(a, b), "sub": lambda a, b: a - b,
}  # fmt: skip

POINTWISE: dict[str, Row] = {
    **{name: elementwise(meaning) for name, meaning in {**_UNARY, **_BINARY}.items()},
    "clamp": elementwise(clipped, "min", "max"),
    "convert": elementwise(lambda x, dtype: x.astype(dtype), "dtype"),
    "elu": elementwise(_elu, "alpha"),
    "gelu": elementwise(_gelu, "approximate"),
    "hardtanh": elementwise(clipped, "min", "max"),
    "leaky_relu": elementwise(lambda x, slope: tir.Select(x > _n(x, 0), x, x * _n(x, slope)), "slope"),
    "log_softmax": _softmax("log_softmax"),
    "power": elementwise(_power, "exponent"),
    "reduce_max": lambda sheet, node: reduced(sheet, node, True),
    "reduce_sum": lambda sheet, node: reduced(sheet, node, False),
    "softmax": _softmax("softmax"),
    "where": elementwise(lambda c, a, b: tir.Select(c, a, b)),
}
