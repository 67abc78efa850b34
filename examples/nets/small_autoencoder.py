"""An autoencoder for ``anomaly_nab.py``."""

from itertools import pairwise

from torch import nn


def make(values: int = 48) -> nn.Module:
    """A window [N, values] -> its reconstruction [N, values]."""
    sizes = (values, 16, 8, 16, values)
    layers = [layer for i, o in pairwise(sizes) for layer in (nn.Linear(i, o), nn.Tanh())]
    return nn.Sequential(*layers[:-1])
