"""Convolutions in one and two dimensions, and their transposed forms."""

from __future__ import annotations

from collections.abc import Sequence

from ..tensor import NHWC, Tensor
from .arithmetic import binary
from .table import Call, lowers

HWIO = (2, 3, 1, 0)
Pair = tuple[int, int]


def pair(values: Sequence[int]) -> Pair:
    return (values[0], values[-1])


def as_row(x: Tensor, where: str) -> Tensor:
    """(N, C, L) -> (N, C, 1, L)."""
    return x.view((*x.shape[:2], 1, x.shape[2]), where)


def same_padding(size: Sequence[int], dilation: Sequence[int]) -> tuple[Pair, ...]:
    """Half of it before, and the odd one after, as PyTorch."""
    totals = [d * (k - 1) for k, d in zip(size, dilation, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)


def _bias(call: Call, y: Tensor, bias: Tensor | None) -> Tensor:
    if bias is None:
        return y
    return binary(call, "add", y, bias.view((-1, 1, 1), call.where))


def convolve(
    call: Call,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int] | Sequence[Pair] | str,
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """``padding``: one number for both ends of an axis, or a pair for each axis."""
    if x.rank == 3 and weight.rank == 4:
        y = convolve(call, x.view((1, *x.shape), call.where), weight, bias, stride, padding, dilation, groups)
        return y.view(y.shape[1:], call.where)
    dilation = pair(dilation)
    if padding == "same":
        pads = same_padding(weight.shape[2:], dilation)
    elif padding and isinstance(padding[0], tuple):
        pads = tuple(padding)  # type: ignore[arg-type]
    else:
        pads = tuple((p, p) for p in ((0, 0) if isinstance(padding, str) else pair(padding)))  # type: ignore[arg-type]
    value = call.apply(
        "conv2d",
        x.to(NHWC, call.where).value,
        weight.to(HWIO, call.where).value,
        stride=pair(stride),
        padding=pads,
        dilation=dilation,
        groups=groups,
    )
    return _bias(call, Tensor(value, NHWC), bias)


@lowers("conv2d.default", "conv2d.padding")
def conv2d(
    call: Call,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int] | str,
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    return convolve(call, x, weight, bias, stride, padding, dilation, groups)


@lowers("conv1d.default", "conv1d.padding")
def conv1d(
    call: Call,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int] | str,
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """A convolution of images one row high."""
    if x.rank == 2:
        y = conv1d(call, x.view((1, *x.shape), call.where), weight, bias, stride, padding, dilation, groups)
        return y.view(y.shape[1:], call.where)
    pads = padding if isinstance(padding, str) else (0, padding[0])
    wide = as_row(weight, call.where)
    rows = as_row(x, call.where)
    y = convolve(call, rows, wide, bias, (1, stride[0]), pads, (1, dilation[0]), groups)
    return y.view((*y.shape[:2], y.shape[3]), call.where)


def transpose_convolve(
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
    """The input gradient of the convolution whose weight is (in, out / groups, kh, kw)."""
    if x.rank == 3:
        batch = x.view((1, *x.shape), call.where)
        y = transpose_convolve(call, batch, weight, bias, stride, padding, output_padding, groups, dilation)
        return y.view(y.shape[1:], call.where)
    s, p, o, d = pair(stride), pair(padding), pair(output_padding), pair(dilation)
    valid = all(o[a] < max(s[a], d[a]) for a in (0, 1))
    call.require(valid, f"output_padding {o} must be less than the stride {s} or the dilation {d}")
    # A convolution leaves at most stride - 1 rows unread: more of them are so much less padding, then rows of zeros.
    ends = [p[a] - max(0, o[a] - s[a] + 1) for a in (0, 1)]
    pads = tuple((p[a], max(0, ends[a])) for a in (0, 1))
    reach = [(x.shape[2 + a] - 1) * s[a] + d[a] * (weight.shape[2 + a] - 1) + 1 for a in (0, 1)]
    size = [reach[a] + min(o[a], s[a] - 1) - sum(pads[a]) for a in (0, 1)]
    value = call.apply(
        "conv2d_input_grad",
        x.to(NHWC, call.where).value,
        weight.to(HWIO, call.where).value,
        stride=s,
        padding=pads,
        dilation=d,
        groups=groups,
        input_shape=(x.shape[0], *size, weight.shape[1] * groups),
    )
    if min(ends) < 0:
        beyond = (0, max(0, -ends[0]), max(0, -ends[1]), 0)
        value = call.apply("pad", value, before=(0, 0, 0, 0), after=beyond, value=0.0)
    return _bias(call, Tensor(value, NHWC), bias)


@lowers("conv_transpose2d.input")
def conv_transpose2d(
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
    return transpose_convolve(call, x, weight, bias, stride, padding, output_padding, groups, dilation)


@lowers("conv_transpose1d.default")
def conv_transpose1d(
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
    """A transposed convolution of images one row high."""
    if x.rank == 2:
        batch = x.view((1, *x.shape), call.where)
        y = conv_transpose1d(call, batch, weight, bias, stride, padding, output_padding, groups, dilation)
        return y.view(y.shape[1:], call.where)
    rows, wide = as_row(x, call.where), as_row(weight, call.where)
    pads, extra = (0, padding[0]), (0, output_padding[0])
    y = transpose_convolve(call, rows, wide, bias, (1, stride[0]), pads, extra, groups, (1, dilation[0]))
    return y.view((*y.shape[:2], y.shape[3]), call.where)
