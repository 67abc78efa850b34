"""Elementwise arithmetic, comparison and choice."""

from __future__ import annotations

from math import inf

import numpy as np

from ... import ir
from ..tensor import Tensor
from .table import Call, lowers

Operand = Tensor | float


def operand(call: Call, value: Operand, like: Tensor) -> Tensor:
    """``value`` as a tensor; a number takes the dtype of ``like``."""
    return value if isinstance(value, Tensor) else call.number(float(value), like)


def floating(call: Call, x: Tensor, dtype: str) -> Tensor:
    """``x``, converted to the float ``dtype`` if it holds integers or bools, or is a constant of less precision."""
    node = x.value.node
    if x.value.dtype == dtype or (x.value.spec.is_float and (node.op, dtype) != ("constant", "float64")):
        return x
    if node.op == "constant":
        return x.like(ir.constant(node.attrs["value"], dtype))
    return call.unary("convert", x, dtype=dtype)


def _pair(call: Call, a: Operand, b: Operand) -> tuple[Tensor, Tensor]:
    dtypes = [t.value.dtype for t in (a, b) if isinstance(t, Tensor) and t.value.spec.is_float]
    call.require(bool(dtypes), "arithmetic on integers is not; convert one operand with .float() first")
    like = a if isinstance(a, Tensor) else b
    assert isinstance(like, Tensor)
    dtype = max(dtypes)
    like = floating(call, like, dtype)
    return floating(call, operand(call, a, like), dtype), floating(call, operand(call, b, like), dtype)


def binary(call: Call, name: str, a: Operand, b: Operand) -> Tensor:
    """A binary row; integers and bools take the dtype of the other operand."""
    return call.joint(name, *_pair(call, a, b))


def scaled(call: Call, x: Operand, alpha: float) -> Operand:
    """``x * alpha``."""
    if alpha == 1:
        return x
    return binary(call, "mul", x, alpha) if isinstance(x, Tensor) else x * alpha


@lowers("add.Tensor", "add.Scalar", "add_.Tensor", "add_.Scalar")
def add(call: Call, a: Operand, b: Operand, alpha: float = 1) -> Tensor:
    return binary(call, "add", a, scaled(call, b, alpha))


@lowers("sub.Tensor", "sub.Scalar", "sub_.Tensor", "sub_.Scalar", "subtract.Tensor")
def sub(call: Call, a: Operand, b: Operand, alpha: float = 1) -> Tensor:
    return binary(call, "sub", a, scaled(call, b, alpha))


@lowers("rsub.Tensor", "rsub.Scalar")
def rsub(call: Call, a: Operand, b: Operand, alpha: float = 1) -> Tensor:
    return binary(call, "sub", b, scaled(call, a, alpha))


@lowers("mul.Tensor", "mul.Scalar", "mul_.Tensor", "mul_.Scalar", "multiply.Tensor")
def mul(call: Call, a: Operand, b: Operand) -> Tensor:
    return binary(call, "mul", a, b)


@lowers("div.Tensor", "div.Scalar", "div_.Tensor", "div_.Scalar", "true_divide.Tensor")
def div(call: Call, a: Operand, b: Operand) -> Tensor:
    if isinstance(a, Tensor) and not a.value.spec.is_float and not isinstance(b, Tensor):
        a = floating(call, a, "float32")
    if isinstance(b, Tensor) or b == 0:
        return binary(call, "div", a, b)
    return binary(call, "mul", a, 1 / b)


@lowers("maximum.default", "max.other")
def maximum(call: Call, a: Tensor, b: Tensor) -> Tensor:
    return binary(call, "maximum", a, b)


@lowers("minimum.default", "min.other")
def minimum(call: Call, a: Tensor, b: Tensor) -> Tensor:
    return binary(call, "minimum", a, b)


@lowers("lt.Tensor", "lt.Scalar")
def less(call: Call, a: Operand, b: Operand) -> Tensor:
    return binary(call, "less", a, b)


@lowers("le.Tensor", "le.Scalar")
def less_equal(call: Call, a: Operand, b: Operand) -> Tensor:
    return binary(call, "less_equal", a, b)


@lowers("gt.Tensor", "gt.Scalar")
def greater(call: Call, a: Operand, b: Operand) -> Tensor:
    return binary(call, "greater", a, b)


@lowers("ge.Tensor", "ge.Scalar")
def greater_equal(call: Call, a: Operand, b: Operand) -> Tensor:
    return binary(call, "greater_equal", a, b)


@lowers("eq.Tensor", "eq.Scalar")
def equal(call: Call, a: Operand, b: Operand) -> Tensor:
    return binary(call, "equal", a, b)


@lowers("where.self", "where.ScalarSelf", "where.ScalarOther")
def where(call: Call, condition: Tensor | bool, a: Operand, b: Operand) -> Tensor:
    if not isinstance(condition, Tensor):
        condition = Tensor.plain(ir.constant(np.asarray(condition)))
    call.require(condition.value.dtype == "bool", "give where() a bool condition")
    call.require(isinstance(a, Tensor) or isinstance(b, Tensor), "one of the two choices must be a tensor")
    return call.joint("where", condition, *_pair(call, a, b))


@lowers("masked_fill.Scalar", "masked_fill.Tensor", "masked_fill_.Scalar", "masked_fill_.Tensor")
def masked_fill(call: Call, x: Tensor, mask: Tensor | bool, value: Operand) -> Tensor:
    return where(call, mask, value, x)


@lowers("pow.Tensor_Scalar", "pow_.Scalar")
def power(call: Call, x: Tensor, exponent: float) -> Tensor:
    rows = {1: None, 2: "square", 0.5: "sqrt", -0.5: "rsqrt", -1: "reciprocal"}
    if exponent not in rows:
        return call.unary("power", x, exponent=float(exponent))
    row = rows[exponent]
    return call.unary(row, x) if row else x


@lowers("clamp.default", "clamp_.default", "clip.default", "clip_.default")
def clamp(call: Call, x: Tensor, low: float | None, high: float | None) -> Tensor:
    bounds = {"min": -inf if low is None else float(low), "max": inf if high is None else float(high)}
    return call.unary("clamp", x, **bounds)


@lowers("clamp_min.default", "clamp_min_.default")
def clamp_min(call: Call, x: Tensor, low: float) -> Tensor:
    return call.unary("clamp", x, min=float(low), max=inf)


@lowers("clamp_max.default", "clamp_max_.default")
def clamp_max(call: Call, x: Tensor, high: float) -> Tensor:
    return call.unary("clamp", x, min=-inf, max=float(high))


@lowers("addcmul.default")
def addcmul(call: Call, x: Tensor, a: Tensor, b: Tensor, value: float = 1) -> Tensor:
    return binary(call, "add", x, scaled(call, binary(call, "mul", a, b), value))


@lowers("addcdiv.default")
def addcdiv(call: Call, x: Tensor, a: Tensor, b: Tensor, value: float = 1) -> Tensor:
    return binary(call, "add", x, scaled(call, binary(call, "div", a, b), value))


@lowers("lerp.Scalar", "lerp.Tensor")
def lerp(call: Call, x: Tensor, end: Tensor, weight: Operand) -> Tensor:
    return binary(call, "add", x, binary(call, "mul", binary(call, "sub", end, x), weight))
