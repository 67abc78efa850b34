"""Along one axis by a table: flips, rolls, windows, running sums."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ... import ir
from ..tensor import Tensor
from .arithmetic import binary, floating
from .shape import unsqueeze
from .table import Call, lowers


def known(x: Tensor) -> np.ndarray | None:
    """The array of a constant, in PyTorch's order of axes."""
    node = x.value.node
    if node.op != "constant":
        return None
    array: np.ndarray = node.attrs["value"]
    return array.transpose([x.perm.index(d) for d in range(x.rank)])


def resampled(
    call: Call, x: Tensor, dim: int, starts: Sequence[int], index: Sequence[int], weights: Sequence[float] = ()
) -> Tensor:
    """Each place along ``dim`` a sum over its entries of the table (``resample`` in ir/ops/along.py)."""
    axis, shape = x.axis(dim), x.value.shape
    count = len(starts) - 1
    if not weights and count == shape[axis] and list(index) == list(range(count)) == list(starts[:-1]):
        return x
    flat = ir.reshape(x.value, (prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])), call.where)
    table = {"starts": tuple(starts), "index": tuple(index), "weights": tuple(map(float, weights))}
    return x.like(ir.reshape(call.apply("resample", flat, **table), (*shape[:axis], count, *shape[axis + 1 :])))


def chosen(call: Call, x: Tensor, dim: int, index: Sequence[int]) -> Tensor:
    """``x`` at the constant places ``index`` along ``dim``."""
    return resampled(call, x, dim, range(len(index) + 1), index)


@lowers("flip.default")
def flip(call: Call, x: Tensor, dims: Sequence[int]) -> Tensor:
    for dim in dims if x.rank else ():
        x = chosen(call, x, dim, range(x.shape[dim])[::-1])
    return x


@lowers("roll.default")
def roll(call: Call, x: Tensor, shifts: Sequence[int], dims: Sequence[int]) -> Tensor:
    if not x.rank:
        return x
    if not dims:
        return roll(call, x.view((-1,), call.where), shifts, [0]).view(x.shape, call.where)
    for shift, dim in zip(shifts, dims, strict=True):
        n = x.shape[dim]
        x = chosen(call, x, dim, [(i - shift) % n for i in range(n)])
    return x


@lowers("repeat_interleave.self_int")
def repeat_interleave(call: Call, x: Tensor, repeats: int, dim: int | None, *_: object) -> Tensor:
    if dim is None:
        x, dim = x.view((-1,), call.where), 0
    return chosen(call, x, dim, np.repeat(np.arange(x.shape[dim]), repeats).tolist())


@lowers("unfold.default")
def unfold(call: Call, x: Tensor, dim: int, size: int, step: int) -> Tensor:
    """Windows along ``dim``, their elements a new last axis."""
    if not x.rank:
        return x.view((size,), call.where)
    dim %= x.rank
    starts = range(0, x.shape[dim] - size + 1, step)
    picked = chosen(call, x, dim, [s + i for s in starts for i in range(size)])
    wide = picked.view((*x.shape[:dim], len(starts), size, *x.shape[dim + 1 :]), call.where)
    return wide.permute([*(d for d in range(x.rank + 1) if d != dim + 1), dim + 1])


@lowers("col2im.default")
def col2im(
    call: Call,
    x: Tensor,
    size: Sequence[int],
    kernel: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[int],
    stride: Sequence[int],
) -> Tensor:
    """Windows [N, C * taps, windows] summed where they overlap: ``nn.Fold``."""
    if x.rank == 2:
        y = col2im(call, x.view((1, *x.shape), call.where), size, kernel, dilation, padding, stride)
        return y.view(y.shape[1:], call.where)
    counts = [(size[a] + 2 * padding[a] - dilation[a] * (kernel[a] - 1) - 1) // stride[a] + 1 for a in range(len(size))]
    call.require(len(size) == 2, "only in two dimensions")
    c = x.shape[1] // prod(kernel)
    y = x.view((x.shape[0], c, *kernel, *counts), call.where).permute((0, 1, 2, 4, 3, 5))
    y = y.view((x.shape[0], c, kernel[0] * counts[0], kernel[1] * counts[1]), call.where)
    for a in (0, 1):
        falls: list[list[int]] = [[] for _ in range(size[a])]
        for tap in range(kernel[a]):
            for i in range(counts[a]):
                at = i * stride[a] + tap * dilation[a] - padding[a]
                if 0 <= at < size[a]:
                    falls[at].append(tap * counts[a] + i)
        starts = np.cumsum([0, *map(len, falls)]).tolist()
        y = resampled(call, y, 2 + a, starts, [i for fall in falls for i in fall])
    return y


@lowers("cumsum.default")
def cumsum(call: Call, x: Tensor, dim: int, dtype: object = None) -> Tensor:
    x = floating(call, x, "float32") if dtype is not None else x
    call.require(x.value.spec.is_float, "a running sum of integers is not; convert it with .float() first")
    one = x if x.rank else unsqueeze(call, x, 0)
    axis, shape = one.axis(dim), one.value.shape
    flat = ir.reshape(one.value, (prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])), call.where)
    y = one.like(ir.reshape(call.apply("cumsum", flat, reverse=False), shape, call.where))
    return y if x.rank else y.view((), call.where)


@lowers("diff.default")
def diff(call: Call, x: Tensor, n: int, dim: int, before: Tensor | None, after: Tensor | None) -> Tensor:
    call.require(before is None and after is None, "prepend and append are not; use torch.cat first")
    for _ in range(n):
        count = x.shape[dim] - 1
        call.require(count > 0, "there are too few elements for this difference")
        pair = (chosen(call, x, dim, range(1, count + 1)), chosen(call, x, dim, range(count)))
        x = binary(call, "sub", *pair)
    return x
