"""Convolutions in any number of dimensions, transposed or not, under one name."""

from __future__ import annotations

from collections.abc import Sequence

from ..tensor import Tensor
from .convolution import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from .table import Call, lowers
from .volume import convolve3d, transpose_convolve3d

_PLAIN = {3: conv1d, 4: conv2d, 5: convolve3d}
_TRANSPOSED = {3: conv_transpose1d, 4: conv_transpose2d, 5: transpose_convolve3d}


@lowers("convolution.default")
def convolution(
    call: Call,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Tensor:
    call.require(weight.rank in _PLAIN, "only one, two and three dimensions")
    if transposed:
        return _TRANSPOSED[weight.rank](call, x, weight, bias, stride, padding, output_padding, groups, dilation)
    return _PLAIN[weight.rank](call, x, weight, bias, stride, padding, dilation, groups)
