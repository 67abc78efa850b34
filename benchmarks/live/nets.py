"""The networks that are shipped."""

from __future__ import annotations

from torch import nn


def speech() -> nn.Module:
    """A DS-CNN (Zhang et al., arXiv:1711.07128) of 7,314 parameters: [N, 1, 32, 20] -> [N, 10]."""
    layers = [nn.Conv2d(1, 16, 5, 2, 2), nn.BatchNorm2d(16), nn.ReLU()]
    for inputs, outputs, stride in ((16, 32, 2), (32, 48, 1), (48, 56, 1)):
        layers += [nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs), nn.BatchNorm2d(inputs), nn.ReLU()]
        layers += [nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(56, 10))


def activity() -> nn.Module:
    """A 1-D CNN that knows the four quarters of a window apart: [N, 6, 64] -> [N, 5]; 8,981 parameters."""
    layers: list[nn.Module] = []
    for inputs, outputs, stride in ((6, 16, 2), (16, 32, 2), (32, 32, 1)):
        layers += [nn.Conv1d(inputs, outputs, 5, stride, 2), nn.BatchNorm1d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AvgPool1d(4), nn.Flatten(), nn.Linear(128, 5))
