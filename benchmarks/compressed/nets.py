"""The networks: of the zoo and of :mod:`benchmarks.auto.nets`, for one channel of pictures, and at any width."""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.auto.nets import one_dimensional
from selvedge.zoo.convolution import initialise
from selvedge.zoo.ds_cnn import DSCNN
from selvedge.zoo.resnet8 import ResNet8

MOMENTUM = 0.1  # PyTorch's: Keras' 0.01, which the zoo has, lags behind runs of some hundred steps
LEAST = 4  # channels


def ds_cnn(width: float = 1.0) -> nn.Module:
    """[N, 1, 49, 10] -> logits [N, 10]."""
    return _ready(DSCNN(classes=10), width)


def resnet8(width: float = 1.0) -> nn.Module:
    """[N, 1, 28, 28] -> logits [N, 10]: the zoo's, whose stem reads one channel instead of three."""
    net = ResNet8()
    net.stem[0] = nn.Conv2d(1, 16, 3, padding=1)
    return _ready(net, width)


def series(width: float = 1.0) -> nn.Module:
    """[N, 6, 100] -> logits [N, 5]."""
    return _ready(one_dimensional(5), width)


def _ready(net: nn.Module, width: float) -> nn.Module:
    first = next(m for m in net.modules() if isinstance(m, nn.Conv1d | nn.Conv2d))
    for parent in list(net.modules()):
        for name, layer in list(parent.named_children()):
            made = layer if width == 1 else _narrowed(layer, width, layer is first)
            if isinstance(made, nn.BatchNorm2d):
                made.momentum = MOMENTUM
            setattr(parent, name, made)
    initialise(net)
    # oneDNN dies in the gradient of a 1x1 convolution of stride 2 over four channels, if they are last.
    return net.to(memory_format=torch.channels_last) if width == 1 else net


def _narrowed(layer: nn.Module, width: float, first: bool) -> nn.Module:
    def wide(channels: int) -> int:
        return max(LEAST, round(channels * width))

    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        inputs, outputs = layer.in_channels if first else wide(layer.in_channels), wide(layer.out_channels)
        kernel, stride, padding = layer.kernel_size, layer.stride, layer.padding
        return type(layer)(inputs, outputs, kernel, stride, padding, groups=1 if layer.groups == 1 else inputs)  # type: ignore[arg-type]
    if isinstance(layer, nn.BatchNorm2d):
        return nn.BatchNorm2d(wide(layer.num_features), eps=layer.eps)
    if isinstance(layer, nn.Linear):
        return nn.Linear(wide(layer.in_features), layer.out_features)
    return layer
