"""A 1-D CNN of 8,000 parameters, for ``activity_har.py``."""

from torch import nn


def make(classes: int = 5) -> nn.Module:
    """Six axes [N, 6, samples] -> logits [N, classes]."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((6, 16), (16, 32), (32, 32)):
        layers += [nn.Conv1d(inputs, outputs, 5, 2), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, classes))
