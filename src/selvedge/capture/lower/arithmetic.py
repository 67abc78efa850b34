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
    """``x``, converted to the float ``dtype`` if it holds integers or bools, or is a constant of less precision or made
    of bools, as a choice between constants is too."""
    node = x.value.node
    if node.op == "where" and (x.value.dtype, dtype) == ("float32", "float64"):
        choices = node.inputs[1:]
        if all(c.node.op == "constant" for c in choices):
            wide = (ir.constant(c.node.attrs["value"], dtype) for c in choices)
            return x.like(call.apply("where", node.inputs[0], *wide))
    if node.op == "convert" and node.inputs[0].dtype == "bool" and x.value.dtype != dtype:
        return x.like(call.apply("convert", node.inputs[0], dtype=dtype))
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


EXACT = 2**24  # below it float32 tells every integer from the next


def _compare(call: Call, name: str, a: Operand, b: Operand) -> Tensor:
    """Integers with constants that float32 holds exactly: native loops compute in the real type. Bools with bools."""
    tensors = [t for t in (a, b) if isinstance(t, Tensor)]
    if any(t.value.spec.is_float for t in tensors):
        return binary(call, name, a, b)
    if all(t.value.dtype == "bool" for t in tensors) and name in ("equal", "not_equal"):
        same = logical_xor(call, a, b)
        return same if name == "not_equal" else logical_not(call, same)
    pair = [_whole(call, v) for v in (a, b)]
    small = any(n.node.op == "constant" and _within(n.node.attrs["value"]) for n in (t.value for t in pair))
    call.require(small, "a comparison of two integer tensors is not; convert one with .float() first")
    return call.joint(name, *pair)


def _within(array: np.ndarray) -> bool:
    return bool(array.size == 0 or np.abs(array.astype(np.int64)).max() < EXACT)


def _whole(call: Call, value: Operand) -> Tensor:
    """int32 of a tensor of integers or bools, or of a number."""
    if not isinstance(value, Tensor):
        call.require(value == int(value), f"integers are compared with integers, not with {value}")
        return Tensor.plain(ir.constant(int(value), "int32"))
    if value.value.dtype == "int32":
        return value
    call.require(value.value.node.op == "constant", f"a comparison of {value.value.dtype} with integers is not")
    return value.like(ir.constant(value.value.node.attrs["value"], "int32"))


@lowers("lt.Tensor", "lt.Scalar", "less.Tensor", "less.Scalar")
def less(call: Call, a: Operand, b: Operand) -> Tensor:
    return _compare(call, "less", a, b)


@lowers("le.Tensor", "le.Scalar", "less_equal.Tensor", "less_equal.Scalar")
def less_equal(call: Call, a: Operand, b: Operand) -> Tensor:
    return _compare(call, "less_equal", a, b)


@lowers("gt.Tensor", "gt.Scalar", "greater.Tensor", "greater.Scalar")
def greater(call: Call, a: Operand, b: Operand) -> Tensor:
    return _compare(call, "greater", a, b)


@lowers("ge.Tensor", "ge.Scalar", "greater_equal.Tensor", "greater_equal.Scalar")
def greater_equal(call: Call, a: Operand, b: Operand) -> Tensor:
    return _compare(call, "greater_equal", a, b)


@lowers("eq.Tensor", "eq.Scalar")
def equal(call: Call, a: Operand, b: Operand) -> Tensor:
    return _compare(call, "equal", a, b)


@lowers("ne.Tensor", "ne.Scalar", "not_equal.Tensor", "not_equal.Scalar")
def not_equal(call: Call, a: Operand, b: Operand) -> Tensor:
    return _compare(call, "not_equal", a, b)


def _bool(call: Call, x: Operand) -> Tensor:
    """Whether ``x`` is not 0."""
    if not isinstance(x, Tensor):
        return Tensor.plain(ir.constant(np.asarray(bool(x))))
    return x if x.value.dtype == "bool" else _compare(call, "not_equal", x, 0)


def _truth(value: bool) -> Tensor:
    return Tensor.plain(ir.constant(np.asarray(value)))


def _bools_only(call: Call, *operands: Operand) -> None:
    fine = all(not isinstance(x, Tensor) or x.value.dtype == "bool" for x in operands)
    call.require(fine, "bitwise arithmetic on integers is not; only of bools")


@lowers("logical_and.default")
def logical_and(call: Call, a: Operand, b: Operand) -> Tensor:
    return call.joint("where", _bool(call, a), _bool(call, b), _truth(False))


@lowers("logical_or.default")
def logical_or(call: Call, a: Operand, b: Operand) -> Tensor:
    return call.joint("where", _bool(call, a), _truth(True), _bool(call, b))


@lowers("logical_not.default")
def logical_not(call: Call, x: Tensor) -> Tensor:
    return call.joint("where", _bool(call, x), _truth(False), _truth(True))


@lowers("logical_xor.default")
def logical_xor(call: Call, a: Operand, b: Operand) -> Tensor:
    b = _bool(call, b)
    return call.joint("where", _bool(call, a), logical_not(call, b), b)


@lowers("bitwise_and.Tensor", "bitwise_and.Scalar", "__and__.Tensor")
def bitwise_and(call: Call, a: Operand, b: Operand) -> Tensor:
    _bools_only(call, a, b)
    return logical_and(call, a, b)


@lowers("bitwise_or.Tensor", "bitwise_or.Scalar", "__or__.Tensor")
def bitwise_or(call: Call, a: Operand, b: Operand) -> Tensor:
    _bools_only(call, a, b)
    return logical_or(call, a, b)


@lowers("bitwise_xor.Tensor", "bitwise_xor.Scalar", "__xor__.Tensor")
def bitwise_xor(call: Call, a: Operand, b: Operand) -> Tensor:
    _bools_only(call, a, b)
    return logical_xor(call, a, b)


@lowers("bitwise_not.default")
def bitwise_not(call: Call, x: Tensor) -> Tensor:
    _bools_only(call, x)
    return logical_not(call, x)


@lowers("isnan.default")
def isnan(call: Call, x: Tensor) -> Tensor:
    return _compare(call, "not_equal", x, x)


@lowers("where.self", "where.ScalarSelf", "where.ScalarOther", "where.Scalar")
def where(call: Call, condition: Tensor | bool, a: Operand, b: Operand) -> Tensor:
    if isinstance(condition, Tensor) and not isinstance(a, Tensor) and not isinstance(b, Tensor):
        b = Tensor.plain(ir.constant(b, "float32"))
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


def _bound(call: Call, x: Tensor, bound: Tensor | None, beyond: str) -> Tensor:
    """``bound`` where ``x`` lies beyond it; its gradient is x's up to the border, as PyTorch's."""
    return x if bound is None else where(call, binary(call, beyond, x, bound), bound, x)


@lowers("clamp.Tensor")
def clamp_tensors(call: Call, x: Tensor, low: Tensor | None, high: Tensor | None) -> Tensor:
    return _bound(call, _bound(call, x, low, "less"), high, "greater")


@lowers("clamp_min.Tensor")
def clamp_min_tensor(call: Call, x: Tensor, low: Tensor) -> Tensor:
    return _bound(call, x, low, "less")


@lowers("clamp_max.Tensor")
def clamp_max_tensor(call: Call, x: Tensor, high: Tensor) -> Tensor:
    return _bound(call, x, high, "greater")


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
