"""Sums, means, maxima and softmax."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ... import ir
from ..tensor import Tensor, without
from .arithmetic import binary, floating, where
from .shape import drop
from .table import Call, lowers


def _reduce(call: Call, row: str, x: Tensor, dims: Sequence[int] | None, keepdim: bool) -> Tensor:
    chosen = [d % x.rank for d in dims] if dims and x.rank else list(range(x.rank))
    if not chosen:
        return x
    value = ir.reduce(row, x.value, [x.axis(d) for d in chosen], keepdim, call.where)
    return Tensor(value, x.perm if keepdim else without(x.perm, chosen))


def _count(x: Tensor, dims: Sequence[int] | None) -> int:
    return prod(x.shape[d] for d in dims) if dims and x.rank else x.value.spec.size


@lowers("sum.dim_IntList")
def sum_(call: Call, x: Tensor, dims: Sequence[int] | None, keepdim: bool = False, *_: object) -> Tensor:
    return _reduce(call, "reduce_sum", floating(call, x, "float32"), dims, keepdim)


@lowers("sum.default")
def sum_all(call: Call, x: Tensor, *_: object) -> Tensor:
    return sum_(call, x, None)


@lowers("mean.dim")
def mean(call: Call, x: Tensor, dims: Sequence[int] | None, keepdim: bool = False, *_: object) -> Tensor:
    total = _reduce(call, "reduce_sum", x, dims, keepdim)
    return total if _count(x, dims) == 1 else binary(call, "mul", total, 1 / _count(x, dims))


@lowers("mean.default")
def mean_all(call: Call, x: Tensor, *_: object) -> Tensor:
    return mean(call, x, None)


def _root(call: Call, x: Tensor) -> Tensor:
    """The root of a sum of squares. Where it is 0 its gradient is 0, as PyTorch's norms have it; sqrt's is infinite."""
    nothing = binary(call, "equal", x, 0)
    return where(call, nothing, 0, call.unary("sqrt", where(call, nothing, 1, x)))


def _variance(call: Call, x: Tensor, dims: Sequence[int] | None, correction: float | None, keepdim: bool) -> Tensor:
    centred = binary(call, "sub", x, mean(call, x, dims, True))
    total = _reduce(call, "reduce_sum", call.unary("square", centred), dims, keepdim)
    freedom = _count(x, dims) - (1 if correction is None else correction)
    call.require(freedom > 0, "there are too few elements for this correction")
    return binary(call, "mul", total, 1 / freedom)


@lowers("var.correction")
def var(call: Call, x: Tensor, dims: Sequence[int] | None, correction: float | None, keepdim: bool) -> Tensor:
    return _variance(call, x, dims, correction, keepdim)


@lowers("std.correction")
def std(call: Call, x: Tensor, dims: Sequence[int] | None, correction: float | None, keepdim: bool) -> Tensor:
    return _root(call, _variance(call, x, dims, correction, keepdim))


@lowers("var.dim")
def var_dim(call: Call, x: Tensor, dims: Sequence[int] | None, unbiased: bool, keepdim: bool) -> Tensor:
    return _variance(call, x, dims, int(unbiased), keepdim)


@lowers("std.dim")
def std_dim(call: Call, x: Tensor, dims: Sequence[int] | None, unbiased: bool, keepdim: bool) -> Tensor:
    return _root(call, _variance(call, x, dims, int(unbiased), keepdim))


@lowers("amax.default")
def amax(call: Call, x: Tensor, dims: Sequence[int], keepdim: bool) -> Tensor:
    return _reduce(call, "reduce_max", x, dims, keepdim)


@lowers("amin.default")
def amin(call: Call, x: Tensor, dims: Sequence[int], keepdim: bool) -> Tensor:
    return call.unary("neg", _reduce(call, "reduce_max", call.unary("neg", x), dims, keepdim))


@lowers("max.default")
def max_all(call: Call, x: Tensor) -> Tensor:
    return _reduce(call, "reduce_max", x, None, False)


@lowers("max.dim")
def max_dim(call: Call, x: Tensor, dim: int, keepdim: bool) -> tuple[Tensor, None]:
    """One window over the whole axis: the gradient goes to the first maximum alone, as PyTorch's."""
    if not x.rank:
        return x, None
    n, axis, shape = x.shape[dim], x.axis(dim), x.value.shape
    flat = ir.reshape(x.value, (prod(shape[:axis]), n, 1, prod(shape[axis + 1 :])), call.where)
    y = call.apply("max_pool", flat, windows_h=((0, n, 1),), windows_w=((0, 1, 1),))
    kept = x.like(ir.reshape(y, (*shape[:axis], 1, *shape[axis + 1 :]), call.where))
    return (kept if keepdim else drop(kept, dim, call.where)), None


def _along(call: Call, row: str, x: Tensor, dim: int) -> Tensor:
    """A row over the last axis, along ``dim``; a number is a line of one."""
    if not x.rank:
        return call.unary(row, x.view((1,), call.where)).view((), call.where)
    return call.unary(row, x.last(dim, call.where))


@lowers("softmax.int", "_softmax.default")
def softmax(call: Call, x: Tensor, dim: int, *_: object) -> Tensor:
    return _along(call, "softmax", x, dim)


@lowers("log_softmax.int", "_log_softmax.default")
def log_softmax(call: Call, x: Tensor, dim: int, *_: object) -> Tensor:
    return _along(call, "log_softmax", x, dim)


@lowers("logsumexp.default")
def logsumexp(call: Call, x: Tensor, dims: Sequence[int], keepdim: bool) -> Tensor:
    """max + log(sum(exp(x - max))): no exponential overflows, and nothing infinite is subtracted from itself."""
    most = float(np.finfo(x.value.dtype).max)
    top = call.unary("clamp", _reduce(call, "reduce_max", x, dims, True), min=-most, max=most)
    spread = _reduce(call, "reduce_sum", call.unary("exp", binary(call, "sub", x, top)), dims, keepdim)
    return binary(call, "add", call.unary("log", spread), top.view(spread.shape, call.where))


@lowers("linalg_vector_norm.default")
def vector_norm(call: Call, x: Tensor, order: float, dims: Sequence[int] | None, keepdim: bool, *_: object) -> Tensor:
    call.require(order == 2, "only the Euclidean norm")
    return _root(call, _reduce(call, "reduce_sum", call.unary("square", x), dims, keepdim))
