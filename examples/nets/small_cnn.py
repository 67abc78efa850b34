"""A user's own file with a model in it, for ``own_cnn.py``: any function that returns an ``nn.Module`` will do."""

from torch import nn


def make(classes: int = 10) -> nn.Module:
    """Grey images [N, 1, H, W] of any size -> logits [N, classes]."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(512, classes),
    )
