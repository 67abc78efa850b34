"""Sums, means, maxima and softmax."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod

import numpy as np

from ... import ir
from ..tensor import Tensor, without
from .arithmetic import binary, floating, where
from .shape import cat, drop, part
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
    """(sum |x|^p)^(1/p); of p = inf the maximum. Where it is 0 its gradient is 0, as PyTorch's norms have it."""
    if order == 2:
        return _root(call, _reduce(call, "reduce_sum", call.unary("square", x), dims, keepdim))
    size = call.unary("abs", x)
    if order == 1:
        return _reduce(call, "reduce_sum", size, dims, keepdim)
    if order == inf:
        return _reduce(call, "reduce_max", size, dims, keepdim)
    call.require(order > 1, f"the norm of order {order} is not; give 1, 2, inf, or another above 1")
    total = _reduce(call, "reduce_sum", call.unary("power", size, exponent=float(order)), dims, keepdim)
    nothing = binary(call, "equal", total, 0)
    root = call.unary("power", where(call, nothing, 1, total), exponent=1 / order)
    return where(call, nothing, 0, root)


@lowers("min.default")
def min_all(call: Call, x: Tensor) -> Tensor:
    return amin(call, x, [], False)


@lowers("min.dim")
def min_dim(call: Call, x: Tensor, dim: int, keepdim: bool) -> tuple[Tensor, None]:
    return call.unary("neg", max_dim(call, call.unary("neg", x), dim, keepdim)[0]), None


@lowers("aminmax.default")
def aminmax(call: Call, x: Tensor, dim: int | None, keepdim: bool) -> tuple[Tensor, Tensor]:
    dims = [] if dim is None else [dim]
    return amin(call, x, dims, keepdim), amax(call, x, dims, keepdim)


@lowers("var_mean.correction")
def var_mean(
    call: Call, x: Tensor, dims: Sequence[int] | None, correction: float | None, keepdim: bool
) -> tuple[Tensor, Tensor]:
    return _variance(call, x, dims, correction, keepdim), mean(call, x, dims, keepdim)


FACTORS = 64


def _product(call: Call, x: Tensor, dim: int, keepdim: bool) -> Tensor:
    """One half times the other, and so on: right where factors are 0."""
    call.require(x.shape[dim] <= FACTORS, f"a product of more than {FACTORS} factors is not; add their logarithms")
    while x.shape[dim] > 1:
        n = x.shape[dim]
        halves = binary(call, "mul", part(call, x, dim, 0, n // 2), part(call, x, dim, n // 2, n // 2 * 2))
        rest = [part(call, x, dim, n - 1, n)] if n % 2 else []
        x = cat(call, [halves, *rest], dim)
    return x if keepdim else drop(x, dim, call.where)


@lowers("prod.dim_int")
def prod_dim(call: Call, x: Tensor, dim: int, keepdim: bool = False, *_: object) -> Tensor:
    return _product(call, x, dim % x.rank, keepdim) if x.rank else x


@lowers("prod.default")
def prod_all(call: Call, x: Tensor, *_: object) -> Tensor:
    return _product(call, x.view((-1,), call.where), 0, False)
