"""The nets of the transfers: depthwise separable, as the zoo's, of 6,000 to 12,000 parameters."""

from __future__ import annotations

from torch import nn

Block = tuple[int, int, int]  # channels in, channels out, stride


def two_dimensional(classes: int) -> nn.Module:
    """Pictures [N, 1, H, W] -> logits [N, classes]: MobileNet V1's blocks (Howard et al., arXiv:1704.04861)."""
    layers: list[nn.Module] = [nn.Conv2d(1, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU()]
    blocks: tuple[Block, ...] = ((16, 24, 1), (24, 40, 2), (40, 48, 1), (48, 64, 1))
    for inputs, outputs, stride in blocks:
        layers += [nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs), nn.BatchNorm2d(inputs), nn.ReLU()]
        layers += [nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))


def one_dimensional(classes: int) -> nn.Module:
    """Axes over time [N, 6, 100] -> logits [N, classes]."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((6, 16), (16, 32), (32, 32)):
        layers += [nn.Conv1d(inputs, outputs, 5, 2), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, classes))
