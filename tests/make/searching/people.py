"""Six people who write scikit-learn's digits each in their own way, and a small space of networks for them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from sklearn.datasets import load_digits
from torch import nn

import selvedge as sv

PEOPLE = 6
DEVICE = sv.Device(name="board", ram="24KiB", flash="256KiB")
SETTINGS = {
    "device": DEVICE, "budget": "run=12KiB,train=24KiB", "epochs": 6, "lr": 1e-2, "learn": 60, "keep": 3,
    "finalists": 2, "seed": 3,
}  # fmt: skip


def net(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 2 * width, 3, 1, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, 4),
    )  # fmt: skip


def space() -> sv.Space:
    return sv.Space(net, width=(4, 8, 12), resolution=(1.0, 0.5))


@lru_cache(maxsize=1)
def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x float32 [n, 1, 8, 8] of the digits 0 to 3, y, and who wrote each."""
    images, labels = load_digits(return_X_y=True)
    own = labels < 4
    x, y = np.float32(images[own].reshape(-1, 1, 8, 8) / 16), labels[own]
    who = np.arange(len(y)) % PEOPLE
    for i in range(PEOPLE):  # each turns the paper, and presses the pen, otherwise
        rows = who == i
        x[rows] = np.rot90(x[rows], i % 2, axes=(2, 3)) * (0.5 + 0.25 * i)
    return x, y, who
