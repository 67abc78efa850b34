"""A DS-CNN (Zhang et al., arXiv:1711.07128) of 8,000 parameters, for ``spoken_digits_fsdd.py``."""

from torch import nn


def make(classes: int = 10) -> nn.Module:
    """Log-mel features [N, 1, frames, bands] -> logits [N, classes]."""
    layers = [nn.Conv2d(1, 24, 3, 2, 1), nn.BatchNorm2d(24), nn.ReLU()]
    for inputs, outputs, stride in ((24, 32, 1), (32, 48, 2), (48, 64, 1)):
        layers += [nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs), nn.BatchNorm2d(inputs), nn.ReLU()]
        layers += [nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))
