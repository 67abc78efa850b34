"""Convolutions and pooling in three dimensions, as those of two over each plane.

A convolution's planes are gathered into channels: one product instead of one for each tap of depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import ir
from ...ir.ops.along import transposed
from ..tensor import NDHWC, NHWC, Tensor
from .convolution import HWIO, convolve, same_padding, transpose_convolve
from .pooling import Window, adaptive, clipped, positions
from .table import Call, lowers

Triple = tuple[int, int, int]


def triple(values: Sequence[int]) -> Triple:
    return (values[0], values[-1], values[-1]) if len(values) == 1 else (values[0], values[1], values[2])


def _planes(depth: int, count: int, kernel: int, stride: int, before: int, dilation: int) -> dict[str, Any]:
    """The table that lays the planes of each window one behind the other; those outside are zero."""
    starts, index = [0], []
    for i in range(count):
        for t in range(kernel):
            at = i * stride + t * dilation - before
            index += [at] if 0 <= at < depth else []
            starts.append(len(index))
    return {"starts": tuple(starts), "index": tuple(index), "weights": ()}


def _matrix(call: Call, weight: Tensor) -> Tensor:
    """[out, in / groups, kd, kh, kw] as a weight of two dimensions whose channels are (depth, channel)."""
    value = weight.to((3, 4, 2, 1, 0), call.where).value
    kh, kw, kd, c, outs = value.shape
    return Tensor(ir.reshape(value, (kh, kw, kd * c, outs), call.where), HWIO)


def _gathered(call: Call, value: ir.Value, kernel: int, groups: int) -> Tensor:
    """[N * D, kd, H, W, C] -> images whose channels are (group, depth, channel)."""
    n, _, h, w, c = value.shape
    wide = ir.reshape(value, (n, kernel, h * w, groups, c // groups), call.where)
    moved = ir.transpose(wide, (0, 2, 3, 1, 4), call.where)
    return Tensor(ir.reshape(moved, (n, h, w, kernel * c), call.where), NHWC)


def _spread(call: Call, images: Tensor, kernel: int, groups: int) -> ir.Value:
    """The reverse of :func:`_gathered`."""
    n, h, w, wide = images.to(NHWC, call.where).value.shape
    c = wide // kernel
    value = ir.reshape(images.to(NHWC, call.where).value, (n, h * w, groups, kernel, c // groups), call.where)
    return ir.reshape(ir.transpose(value, (0, 3, 1, 2, 4), call.where), (n, kernel, h, w, c), call.where)


def _along_depth(call: Call, value: ir.Value, table: dict[str, Any]) -> ir.Value:
    """The table over axis 1 of [N, D, ...]."""
    n, d, *rest = value.shape
    flat = ir.reshape(value, (n, d, value.spec.size // (n * d)), call.where)
    y = call.apply("resample", flat, **table)
    return ir.reshape(y, (n, y.shape[1], *rest), call.where)


def convolve3d(
    call: Call,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int] | str,
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    if x.rank == 4:
        y = convolve3d(call, x.view((1, *x.shape), call.where), weight, bias, stride, padding, dilation, groups)
        return y.view(y.shape[1:], call.where)
    s, d, kernel = triple(stride), triple(dilation), weight.shape[2:]
    if padding == "same":
        pads = same_padding(kernel, d)
    else:
        pads = tuple((p, p) for p in ((0, 0, 0) if isinstance(padding, str) else triple(padding)))
    value = x.to(NDHWC, call.where).value
    n, depth, h, w, c = value.shape
    count = (depth + sum(pads[0]) - d[0] * (kernel[0] - 1) - 1) // s[0] + 1
    planes = _along_depth(call, value, _planes(depth, count, kernel[0], s[0], pads[0][0], d[0]))
    images = _gathered(call, ir.reshape(planes, (n * count, kernel[0], h, w, c), call.where), kernel[0], groups)
    y = convolve(call, images, _matrix(call, weight), bias, s[1:], pads[1:], d[1:], groups)
    made = y.to(NHWC, call.where).value
    return Tensor(ir.reshape(made, (n, count, *made.shape[1:]), call.where), NDHWC)


def transpose_convolve3d(
    call: Call,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    groups: int,
    dilation: Sequence[int],
) -> Tensor:
    """The reverse of :func:`convolve3d`, step by step; weight [in, out / groups, kd, kh, kw]."""
    if x.rank == 4:
        batch = x.view((1, *x.shape), call.where)
        y = transpose_convolve3d(call, batch, weight, bias, stride, padding, output_padding, groups, dilation)
        return y.view(y.shape[1:], call.where)
    s, p, o, d, kernel = triple(stride), triple(padding), triple(output_padding), triple(dilation), weight.shape[2]
    value = x.to(NDHWC, call.where).value
    n, count = value.shape[:2]
    images = Tensor(ir.reshape(value, (n * count, *value.shape[2:]), call.where), NHWC)
    wide = transpose_convolve(call, images, _matrix(call, weight), None, s[1:], p[1:], o[1:], groups, d[1:])
    planes = _spread(call, wide, kernel, groups)
    depth = (count - 1) * s[0] - 2 * p[0] + d[0] * (kernel - 1) + o[0] + 1
    table = transposed(_planes(depth, count, kernel, s[0], p[0], d[0]), depth)
    y = Tensor(_along_depth(call, ir.reshape(planes, (n, count * kernel, *planes.shape[2:]), call.where), table), NDHWC)
    return y if bias is None else y.like(call.apply("add", y.value, bias.value))


lowers("conv3d.default", "conv3d.padding")(convolve3d)
lowers("conv_transpose3d.input")(transpose_convolve3d)


# Pooling: each plane, then the planes


def _batched(call: Call, x: Tensor) -> Tensor:
    call.require(x.rank in (4, 5), f"pooling of a tensor of {x.rank} axes; add a batch axis")
    return x.view((1, *x.shape), call.where) if x.rank == 4 else x


def _pool(
    call: Call, row: str, x: Tensor, windows: Sequence[Sequence[Window]], counts: Sequence[Sequence[int]]
) -> Tensor:
    """``counts``: divisors of an average; empty for a maximum."""
    batch = _batched(call, x)
    value = batch.to(NDHWC, call.where).value
    n, depth, h, w, c = value.shape

    def stage(of: ir.Value, a: Sequence[Window], b: Sequence[Window], divisors: Sequence[Sequence[int]]) -> ir.Value:
        extra = dict(zip(("counts_h", "counts_w"), map(tuple, divisors), strict=False))
        return call.apply(row, of, windows_h=tuple(a), windows_w=tuple(b), **extra)

    flat = ir.reshape(value, (n * depth, h, w, c), call.where)
    y = stage(flat, windows[1], windows[2], counts[1:])
    _, oh, ow, _ = y.shape
    column = ir.reshape(y, (n, depth, 1, oh * ow * c), call.where)
    y = stage(column, windows[0], ((0, 1, 1),), [counts[0], [1]] if counts else [])
    made = Tensor(ir.reshape(y, (n, len(windows[0]), oh, ow, c), call.where), NDHWC)
    return made.view(made.shape[1:], call.where) if x.rank == 4 else made


@lowers("max_pool3d.default")
def max_pool3d(
    call: Call,
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil: bool,
) -> Tensor:
    k, s, p, d = triple(kernel), triple(stride or kernel), triple(padding), triple(dilation)
    windows = []
    for a, size in enumerate(x.shape[-3:]):
        starts = positions(size, k[a], s[a], p[a], d[a], ceil)
        windows.append([clipped(start, size, k[a], d[a]) for start in starts])
    call.require(all(w[0] < w[1] for axis in windows for w in axis), "a window lies outside the volume")
    return _pool(call, "max_pool", x, windows, ())


@lowers("max_pool3d_with_indices.default")
def max_pool3d_with_indices(call: Call, *arguments: Any) -> tuple[Tensor, None]:
    return max_pool3d(call, *arguments), None


@lowers("avg_pool3d.default")
def avg_pool3d(
    call: Call,
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil: bool,
    include_pad: bool,
    divisor: int | None,
) -> Tensor:
    k, s, p = triple(kernel), triple(stride or kernel), triple(padding)
    windows, counts = [], []
    for a, size in enumerate(x.shape[-3:]):
        starts = positions(size, k[a], s[a], p[a], 1, ceil)
        inside = [clipped(start, size, k[a], 1) for start in starts]
        padded = [min(start + k[a], size + p[a]) - start for start in starts]
        windows.append(inside)
        counts.append(padded if include_pad else [len(range(*w)) for w in inside])
    if divisor is not None:
        counts = [[divisor] * len(counts[0]), *([1] * len(c) for c in counts[1:])]
    return _pool(call, "avg_pool", x, windows, counts)


def _adaptive(x: Tensor, size: Sequence[int | None]) -> list[tuple[Window, ...]]:
    shape = x.shape[-3:]
    return [adaptive(n, n if count is None else count) for n, count in zip(shape, size, strict=True)]


@lowers("adaptive_avg_pool3d.default", "_adaptive_avg_pool3d.default")
def adaptive_avg_pool3d(call: Call, x: Tensor, size: Sequence[int | None]) -> Tensor:
    windows = _adaptive(x, size)
    return _pool(call, "avg_pool", x, windows, [[len(range(*w)) for w in axis] for axis in windows])


@lowers("adaptive_max_pool3d.default")
def adaptive_max_pool3d(call: Call, x: Tensor, size: Sequence[int | None]) -> tuple[Tensor, None]:
    return _pool(call, "max_pool", x, _adaptive(x, size), ()), None
