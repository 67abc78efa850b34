"""Pooling in one and two dimensions, as explicit windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..tensor import NHWC, Tensor
from .convolution import Pair, as_row, pair
from .table import Call, lowers

Window = tuple[int, int, int]


def positions(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil: bool) -> list[int]:
    """Where each window begins, in the coordinates of the image; PyTorch's pooling_output_shape."""
    reach = size + 2 * padding - dilation * (kernel - 1) - 1
    count = (reach + (stride - 1 if ceil else 0)) // stride + 1
    if ceil and (count - 1) * stride >= size + padding:
        count -= 1
    return [i * stride - padding for i in range(count)]


def clipped(start: int, size: int, kernel: int, dilation: int) -> Window:
    """The part of a window that lies in the image."""
    first = start + dilation * -(min(0, start) // dilation)
    return first, min(size, start + dilation * (kernel - 1) + 1), dilation


def adaptive(size: int, count: int) -> tuple[Window, ...]:
    return tuple((i * size // count, -(-(i + 1) * size // count), 1) for i in range(count))


def _max(call: Call, x: Tensor, windows: Sequence[Sequence[Window]]) -> Tensor:
    value = x.to(NHWC, call.where).value
    return Tensor(call.apply("max_pool", value, windows_h=tuple(windows[0]), windows_w=tuple(windows[1])), NHWC)


def _average(call: Call, x: Tensor, windows: Sequence[Sequence[Window]], counts: Sequence[Sequence[int]]) -> Tensor:
    y = call.apply(
        "avg_pool",
        x.to(NHWC, call.where).value,
        windows_h=tuple(windows[0]),
        windows_w=tuple(windows[1]),
        counts_h=tuple(counts[0]),
        counts_w=tuple(counts[1]),
    )
    return Tensor(y, NHWC)


def _batched(call: Call, x: Tensor) -> Tensor:
    call.require(x.rank in (3, 4), f"pooling of a tensor of {x.rank} axes; add a batch axis")
    return x.view((1, *x.shape), call.where) if x.rank == 3 else x


def _unbatched(call: Call, y: Tensor, x: Tensor) -> Tensor:
    return y.view(y.shape[1:], call.where) if x.rank == 3 else y


@lowers("max_pool2d.default")
def max_pool2d(
    call: Call,
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil: bool,
) -> Tensor:
    batch = _batched(call, x)
    k, s, p, d = pair(kernel), pair(stride or kernel), pair(padding), pair(dilation)
    windows = []
    for a in (0, 1):
        size = batch.shape[2 + a]
        starts = positions(size, k[a], s[a], p[a], d[a], ceil)
        windows.append([clipped(start, size, k[a], d[a]) for start in starts])
    call.require(all(w[0] < w[1] for axis in windows for w in axis), "a window lies outside the image")
    return _unbatched(call, _max(call, batch, windows), x)


@lowers("max_pool2d_with_indices.default")
def max_pool2d_with_indices(call: Call, *arguments: Any) -> tuple[Tensor, None]:
    return max_pool2d(call, *arguments), None


@lowers("max_pool1d.default")
def max_pool1d(
    call: Call,
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil: bool,
) -> Tensor:
    row = _row(call, x)
    one = (1, (stride or kernel)[0])
    y = max_pool2d(call, row, (1, kernel[0]), one, (0, padding[0]), (1, dilation[0]), ceil)
    return _line(call, y, x)


@lowers("avg_pool2d.default")
def avg_pool2d(
    call: Call,
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil: bool,
    include_pad: bool,
    divisor: int | None,
) -> Tensor:
    batch = _batched(call, x)
    k, s, p = pair(kernel), pair(stride or kernel), pair(padding)
    windows, counts = [], []
    for a in (0, 1):
        size = batch.shape[2 + a]
        starts = positions(size, k[a], s[a], p[a], 1, ceil)
        inside = [clipped(start, size, k[a], 1) for start in starts]
        padded = [min(start + k[a], size + p[a]) - start for start in starts]
        windows.append(inside)
        counts.append(padded if include_pad else [len(range(*w)) for w in inside])
    if divisor is not None:
        counts = [[divisor] * len(counts[0]), [1] * len(counts[1])]
    return _unbatched(call, _average(call, batch, windows, counts), x)


@lowers("avg_pool1d.default")
def avg_pool1d(
    call: Call,
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil: bool,
    include_pad: bool,
) -> Tensor:
    row = _row(call, x)
    one = (1, (stride or kernel)[0])
    y = avg_pool2d(call, row, (1, kernel[0]), one, (0, padding[0]), ceil, include_pad, None)
    return _line(call, y, x)


def _sizes(x: Tensor, size: Sequence[int | None]) -> Pair:
    rows, columns = (x.shape[2 + a] if n is None else n for a, n in enumerate(size))
    return rows, columns


@lowers("adaptive_avg_pool2d.default", "_adaptive_avg_pool2d.default")
def adaptive_avg_pool2d(call: Call, x: Tensor, size: Sequence[int | None]) -> Tensor:
    batch = _batched(call, x)
    windows = [adaptive(batch.shape[2 + a], n) for a, n in enumerate(_sizes(batch, size))]
    counts = [[len(range(*w)) for w in axis] for axis in windows]
    return _unbatched(call, _average(call, batch, windows, counts), x)


@lowers("adaptive_avg_pool1d.default")
def adaptive_avg_pool1d(call: Call, x: Tensor, size: Sequence[int]) -> Tensor:
    return _line(call, adaptive_avg_pool2d(call, _row(call, x), (1, size[0])), x)


@lowers("adaptive_max_pool2d.default")
def adaptive_max_pool2d(call: Call, x: Tensor, size: Sequence[int | None]) -> tuple[Tensor, None]:
    batch = _batched(call, x)
    windows = [adaptive(batch.shape[2 + a], n) for a, n in enumerate(_sizes(batch, size))]
    return _unbatched(call, _max(call, batch, windows), x), None


@lowers("adaptive_max_pool1d.default")
def adaptive_max_pool1d(call: Call, x: Tensor, size: Sequence[int]) -> tuple[Tensor, None]:
    y, _ = adaptive_max_pool2d(call, _row(call, x), (1, size[0]))
    return _line(call, y, x), None


def _row(call: Call, x: Tensor) -> Tensor:
    """(N, C, L) or (C, L) as images one row high."""
    call.require(x.rank in (2, 3), f"pooling of a tensor of {x.rank} axes; add a batch axis")
    return as_row(x if x.rank == 3 else x.view((1, *x.shape), call.where), call.where)


def _line(call: Call, y: Tensor, x: Tensor) -> Tensor:
    """The reverse of :func:`_row`."""
    return y.view((*x.shape[:-1], y.shape[3]), call.where)
