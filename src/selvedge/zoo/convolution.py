"""The unit every network of the zoo repeats: convolution, normalisation, activation.

MLPerf Tiny's reference networks are Keras models: their convolutions carry a bias although a batch norm
follows, the batch norm has eps 1e-3 and momentum 0.99 (0.01 in PyTorch's terms), and ``padding="same"``
puts the odd row of a strided convolution *after* the image. PyTorch's symmetric padding puts it before.
Both are offered: ``symmetric`` costs no extra operation; ``same`` computes what published Keras weights
were trained for.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

NORMS = ("batch", "none")
PADDINGS = ("symmetric", "same")


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Rows (or columns) of zeros before and after ``size`` inputs so that ceil(size / stride) outputs result.

    The odd one goes after (TensorFlow, "Notes on padding", `tf.nn`).
    """
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Conv2d):
    """A convolution padded as Keras pads: x [N,C,H,W] -> [N,O,ceil(H/stride),ceil(W/stride)]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        top, bottom = same_padding(x.shape[2], self.kernel_size[0], self.stride[0])
        left, right = same_padding(x.shape[3], self.kernel_size[1], self.stride[1])
        return super().forward(functional.pad(x, (left, right, top, bottom)))


def convolution(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, padding: str = "symmetric"
) -> nn.Conv2d:
    """A biased convolution with an odd square kernel: [N,I,H,W] -> [N,O,ceil(H/stride),ceil(W/stride)].

    At stride 1 both paddings are the same, and the plain convolution is returned.
    """
    if padding == "same" and stride > 1:
        return SameConv2d(inputs, outputs, kernel, stride, groups=groups)
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups)


def normalisation(norm: str, channels: int, axes: int = 2) -> nn.Module:
    """Keras' batch norm over [N,C,H,W], or [N,C,T] with one of ``axes``, or nothing.

    Nothing keeps its place, so that names do not shift.
    """
    if norm == "none":
        return nn.Identity()
    kind = nn.BatchNorm2d if axes == 2 else nn.BatchNorm1d
    return kind(channels, eps=1e-3, momentum=0.01)


def initialise(module: nn.Module) -> None:
    """He-normal weights over the fan-in and zero biases (He et al., arXiv:1502.01852, eq. 10), in place."""
    for part in module.modules():
        if isinstance(part, nn.Conv1d | nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
