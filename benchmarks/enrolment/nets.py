"""The networks that are shipped: a body, whose latents its last layer takes."""

from __future__ import annotations

from torch import nn


def pictures(outputs: int, width: int = 64) -> nn.Sequential:
    """[N, 1, rows, columns] -> [N, outputs]: four 3 x 3 convolutions, mean and last layer."""
    layers: list[nn.Module] = []
    for inputs, made, stride in ((1, 16, 2), (16, 32, 2), (32, 48, 2), (48, width, 1)):
        layers += [nn.Conv2d(inputs, made, 3, stride, 1), nn.BatchNorm2d(made), nn.ReLU()]
    return nn.Sequential(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), nn.Linear(width, outputs))


def series(outputs: int, width: int = 48) -> nn.Sequential:
    """[N, 6, steps] -> [N, outputs]: three 5-wide convolutions, mean and last layer."""
    layers: list[nn.Module] = []
    for inputs, made in ((6, 16), (16, 32), (32, width)):
        layers += [nn.Conv1d(inputs, made, 5, 2, 2), nn.BatchNorm1d(made), nn.ReLU()]
    return nn.Sequential(nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten()), nn.Linear(width, outputs))
