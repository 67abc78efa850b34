"""Plans and sessions that the tests of this room share."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import nn

import selvedge as sv

DEVICE = sv.Device(name="bench", ram="1MiB", flash="1MiB")


class Small(nn.Module):
    """A norm that can be folded, a shared layer, a buffer that no program reads, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.twice = nn.Conv2d(6, 6, 1)
        self.tied = nn.Conv2d(6, 6, 1, bias=False)
        self.tied.weight = self.twice.weight
        self.head = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        x = torch.tanh(self.twice(torch.tanh(self.twice(x)))) + self.tied(x)
        return self.head(x.mean((2, 3)))


def small(seed: int = 0) -> Small:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Small().eval()
        nn.init.normal_(model.norm.running_mean, 0, 0.3)
        nn.init.uniform_(model.norm.running_var, 0.5, 2)
        nn.init.uniform_(model.norm.weight, 0.5, 1.5)
        nn.init.normal_(model.norm.bias)
    return model


@cache
def plan(norms: str = "frozen", optimizer: str = "momentum", loss: str = "cross_entropy") -> sv.Plan:
    optimizers = {
        "momentum": sv.SGD(lr=0.05, momentum=0.9, dampening=0.1),
        "adam": sv.Adam(lr=0.01),
    }
    return sv.plan(
        small(),
        torch.zeros(2, 2, 6, 5),
        loss=loss,
        device=DEVICE,
        optimizer=optimizers[optimizer],
        schedule=sv.Step(0.05, every=2, factor=0.5),
        norms=norms,
        preprocess=sv.Preprocess((1 / 255, 1 / 127), (-0.5, 0.25)),
    )


def batch(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """x [2, 2, 6, 5] float32, y [2] of 3 classes."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((2, 2, 6, 5)).astype(np.float32), rng.integers(0, 3, 2)
