"""Operators that only move, repeat or drop elements."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch

from ... import ir
from ..tensor import Tensor, align, without
from .arithmetic import floating
from .table import Call, lowers

_DTYPES = {torch.float32: "float32", torch.float64: "float64"}


# No operation at all


@lowers("clone.default", "contiguous.default", "alias.default", "positive.default")
def same(call: Call, x: Tensor, *_: object) -> Tensor:
    return x


@lowers("type_as.default")
def type_as(call: Call, x: Tensor, other: Tensor) -> Tensor:
    return floating(call, x, other.value.dtype)


@lowers("to.dtype", "to.dtype_layout", "_to_copy.default", "to.device")
def to(call: Call, x: Tensor, *options: object) -> Tensor:
    wanted = next((o for o in options if isinstance(o, torch.dtype)), None)
    if wanted is None or _DTYPES.get(wanted) == x.value.dtype:
        return x
    if x.value.dtype == "int32" and wanted in (torch.int32, torch.int64):
        return x
    call.require(wanted in _DTYPES and not x.value.spec.is_float, f"conversion to {wanted} is not; remove it")
    return floating(call, x, _DTYPES[wanted])


@lowers("item.default", "_local_scalar_dense.default", "nonzero.default", "bernoulli.default")
def item(call: Call, x: Tensor, *_: object) -> Tensor:
    raise call.refuse("the graph would depend on values; keep it in tensors, for instance with torch.where")


# Other shapes of the same elements


@lowers("view.default", "reshape.default", "_unsafe_view.default")
def view(call: Call, x: Tensor, shape: Sequence[int]) -> Tensor:
    return x.view(shape, call.where)


@lowers("view_as.default", "reshape_as.default")
def view_as(call: Call, x: Tensor, other: Tensor) -> Tensor:
    return x.view(other.shape, call.where)


@lowers("flatten.using_ints")
def flatten(call: Call, x: Tensor, start: int, end: int) -> Tensor:
    if not x.rank:
        return x.view((1,), call.where)
    first, last = start % x.rank, end % x.rank
    return x.view((*x.shape[:first], prod(x.shape[first : last + 1]), *x.shape[last + 1 :]), call.where)


@lowers("unflatten.int")
def unflatten(call: Call, x: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    dim %= x.rank
    known = prod(n for n in sizes if n != -1)
    sizes = [x.shape[dim] // known if n == -1 else n for n in sizes]
    return x.view((*x.shape[:dim], *sizes, *x.shape[dim + 1 :]), call.where)


@lowers("squeeze.default")
def squeeze(call: Call, x: Tensor) -> Tensor:
    return x.view(tuple(n for n in x.shape if n != 1), call.where)


@lowers("squeeze.dim", "squeeze.dims")
def squeeze_dims(call: Call, x: Tensor, dims: int | Sequence[int]) -> Tensor:
    gone = {d % x.rank for d in ([dims] if isinstance(dims, int) else dims)} if x.rank else set()
    return x.view(tuple(n for d, n in enumerate(x.shape) if n != 1 or d not in gone), call.where)


@lowers("unsqueeze.default")
def unsqueeze(call: Call, x: Tensor, dim: int) -> Tensor:
    dim %= x.rank + 1
    return x.view((*x.shape[:dim], 1, *x.shape[dim:]), call.where)


# Other orders of the axes


@lowers("permute.default")
def permute(call: Call, x: Tensor, dims: Sequence[int]) -> Tensor:
    return x.permute(dims)


@lowers("transpose.int", "swapaxes.default")
def transpose(call: Call, x: Tensor, a: int, b: int) -> Tensor:
    order = list(range(x.rank))
    if x.rank:
        order[a], order[b] = order[b], order[a]
    return x.permute(order)


@lowers("movedim.int")
def movedim(call: Call, x: Tensor, source: int, destination: int) -> Tensor:
    order = [d for d in range(x.rank) if d != source % x.rank]
    order.insert(destination % x.rank, source % x.rank)
    return x.permute(order)


@lowers("t.default", "numpy_T.default")
def t(call: Call, x: Tensor) -> Tensor:
    return x.permute(tuple(reversed(range(x.rank))))


@lowers("mT.default")
def matrix_transpose(call: Call, x: Tensor) -> Tensor:
    return transpose(call, x, -2, -1)


# Parts


def part(call: Call, x: Tensor, dim: int, start: int, stop: int, step: int = 1) -> Tensor:
    """``x[start:stop:step]`` along ``dim``, with bounds that lie inside."""
    axis, shape = x.axis(dim), x.value.shape
    if (start, stop, step) == (0, shape[axis], 1):
        return x
    starts = tuple(start if a == axis else 0 for a in range(x.rank))
    stops = tuple(stop if a == axis else n for a, n in enumerate(shape))
    steps = tuple(step if a == axis else 1 for a in range(x.rank))
    return call.unary("slice", x, starts=starts, stops=stops, steps=steps)


def drop(x: Tensor, dim: int, where: str) -> Tensor:
    """``x`` without its axis ``dim`` of one element."""
    axis = x.axis(dim)
    value = ir.reshape(x.value, (*x.value.shape[:axis], *x.value.shape[axis + 1 :]), where)
    return Tensor(value, without(x.perm, (dim % x.rank,)))


@lowers("slice.Tensor")
def slice_(call: Call, x: Tensor, dim: int, start: int | None, end: int | None, step: int) -> Tensor:
    low, high, _ = slice(start, end, step).indices(x.shape[dim])
    return part(call, x, dim, low, max(low, high), step)


@lowers("narrow.default")
def narrow(call: Call, x: Tensor, dim: int, start: int, length: int) -> Tensor:
    return part(call, x, dim, start, start + length)


@lowers("select.int")
def select(call: Call, x: Tensor, dim: int, index: int) -> Tensor:
    index %= x.shape[dim]
    return drop(part(call, x, dim, index, index + 1), dim, call.where)


@lowers("split_with_sizes.default")
def split_sizes(call: Call, x: Tensor, sizes: Sequence[int], dim: int) -> tuple[Tensor, ...]:
    stops = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return tuple(part(call, x, dim, stop - n, stop) for n, stop in zip(sizes, stops, strict=True))


@lowers("split.Tensor")
def split(call: Call, x: Tensor, size: int, dim: int) -> tuple[Tensor, ...]:
    n = x.shape[dim]
    return tuple(part(call, x, dim, a, min(n, a + size)) for a in range(0, n, size))


@lowers("chunk.default")
def chunk(call: Call, x: Tensor, chunks: int, dim: int) -> tuple[Tensor, ...]:
    return split(call, x, -(-x.shape[dim] // chunks), dim)


@lowers("unbind.int")
def unbind(call: Call, x: Tensor, dim: int) -> tuple[Tensor, ...]:
    return tuple(select(call, x, dim, i) for i in range(x.shape[dim]))


# Several tensors, repeated tensors, borders


@lowers("cat.default", "concat.default")
def cat(call: Call, tensors: Sequence[Tensor], dim: int) -> Tensor:
    some = align([x for x in tensors if x.shape != (0,)], call.where)
    if len(some) == 1:
        return some[0]
    return some[0].like(call.apply("concat", *(x.value for x in some), axis=some[0].axis(dim)))


@lowers("stack.default")
def stack(call: Call, tensors: Sequence[Tensor], dim: int) -> Tensor:
    return cat(call, [unsqueeze(call, x, dim) for x in tensors], dim % (tensors[0].rank + 1))


@lowers("diagonal.default")
def diagonal(call: Call, x: Tensor, offset: int = 0, a: int = 0, b: int = 1) -> Tensor:
    """Every (columns + 1)-th element of the two axes as one."""
    a, b = a % x.rank, b % x.rank
    others = [d for d in range(x.rank) if d not in (a, b)]
    rows, columns = x.shape[a], x.shape[b]
    flat = x.permute([*others, a, b]).view((*(x.shape[d] for d in others), rows * columns), call.where)
    count = min(rows + min(offset, 0), columns - max(offset, 0))
    first = offset if offset >= 0 else -offset * columns
    return part(call, flat, flat.rank - 1, first, first + (count - 1) * (columns + 1) + 1, columns + 1)


@lowers("expand.default", "broadcast_to.default")
def expand(call: Call, x: Tensor, shape: Sequence[int], implicit: bool = False) -> Tensor:
    x = x.widen(len(shape), call.where)
    full = tuple(old if new == -1 else new for old, new in zip(x.shape, shape, strict=True))
    return x.like(ir.broadcast(x.value, tuple(full[p] for p in x.perm), call.where))


@lowers("expand_as.default")
def expand_as(call: Call, x: Tensor, other: Tensor | float) -> Tensor:
    return expand(call, x, other.shape if isinstance(other, Tensor) else ())


@lowers("repeat.default")
def repeat(call: Call, x: Tensor, repeats: Sequence[int]) -> Tensor:
    x = x.widen(len(repeats), call.where)
    for dim, count in enumerate(repeats):
        if count > 1:
            x = cat(call, [x] * count, dim)
    return x


# Writing to a part, as torch.export's functional form of in-place assignment


@lowers("slice_scatter.default")
def slice_scatter(
    call: Call, x: Tensor, source: Tensor, dim: int, start: int | None, end: int | None, step: int
) -> Tensor:
    low, high, _ = slice(start, end, step).indices(x.shape[dim])
    call.require(step == 1, "assignment to a strided slice is not; build the tensor with cat or where")
    n = x.shape[dim]
    parts = [part(call, x, dim, 0, low), source, part(call, x, dim, max(low, high), n)]
    return cat(call, [p for p in parts if p.shape[dim] > 0], dim)


@lowers("select_scatter.default")
def select_scatter(call: Call, x: Tensor, source: Tensor, dim: int, index: int) -> Tensor:
    index %= x.shape[dim]
    return slice_scatter(call, x, unsqueeze(call, source, dim), dim, index, index + 1, 1)


@lowers("copy.default", "copy_.default")
def copy(call: Call, x: Tensor, source: Tensor | float, non_blocking: bool = False) -> Tensor:
    return fill(call, x, source)


@lowers("fill.Scalar", "fill.Tensor", "full_like.default")
def fill(call: Call, x: Tensor, value: Tensor | float, *_: object) -> Tensor:
    if isinstance(value, Tensor):
        return expand(call, floating(call, value, x.value.dtype), x.shape)
    return x.like(ir.broadcast(ir.scalar(value, x.value), x.value.shape, call.where))


@lowers("zeros_like.default", "new_zeros.default")
def zeros_like(call: Call, x: Tensor, *options: object) -> Tensor:
    size = options[0] if options and isinstance(options[0], list) else None
    return fill(call, x, 0) if size is None else Tensor.plain(ir.zeros(ir.Spec(tuple(size), x.value.dtype)))


@lowers("ones_like.default")
def ones_like(call: Call, x: Tensor, *_: object) -> Tensor:
    return fill(call, x, 1)
