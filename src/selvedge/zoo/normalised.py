"""A convolution and its norm as torchvision, timm and MCUNet write them: the bias is the norm's."""

from __future__ import annotations

from torch import nn

from selvedge.zoo.convolution import SameConv2d

EPS, MOMENTUM = 1e-5, 0.1  # PyTorch's own


def normalised(
    inputs: int,
    outputs: int,
    kernel: int,
    norm: str,
    *,
    stride: int = 1,
    groups: int = 1,
    eps: float = EPS,
    momentum: float = MOMENTUM,
    padding: str = "symmetric",
) -> tuple[nn.Conv2d, nn.Module]:
    """A convolution [N,I,H,W] -> [N,O,ceil(H/stride),ceil(W/stride)] with an odd square kernel, and its norm.

    norm: "batch", or "none": then the convolution takes over the bias, and the norm's place holds nothing.
    padding: "same" pads a strided convolution as TensorFlow does.
    """
    biased = norm == "none"
    if padding == "same" and stride > 1:
        conv: nn.Conv2d = SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=biased)
    else:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=biased)
    return conv, nn.Identity() if biased else nn.BatchNorm2d(outputs, eps=eps, momentum=momentum)


def he_fan_out(module: nn.Module) -> None:
    """Convolutions He-normal over the fan-out, their biases zero (torchvision's choice for every network), in place."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out")
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def normal_linear(module: nn.Module, deviation: float = 0.01) -> None:
    """Linear layers normal with that deviation, their biases zero, in place."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, 0.0, deviation)
            nn.init.zeros_(part.bias)
