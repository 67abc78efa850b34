"""Three small models and their streams: scikit-learn's digits under another light."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import selvedge as sv
from selvedge.zoo.registry import make

Array = np.ndarray
BATCH, RATE = 4, 0.01
MEMORY, HELD_OUT = 8 << 10, 2 << 10  # bytes
ANCHOR = 400  # samples


@dataclass(frozen=True)
class Small:
    """``make``: the module. ``shape``: of a sample, the picture of 8 x 8 in its middle. ``update``: what learns."""

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    update: str


MODELS = {
    "MLP 64-24-10": Small(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10)), (1, 8, 8), "full"
    ),
    "CNN 8-16": Small(
        lambda: nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(), nn.Flatten(),
            nn.Linear(256, 10),
        ), (1, 8, 8), "full",
    ),
    "DS-CNN": Small(lambda: make("ds_cnn?classes=10")[0], (1, 49, 10), "last:3"),
}  # fmt: skip


@lru_cache(maxsize=1)
def digits() -> tuple[Array, Array]:
    found = load_digits()
    order = np.random.default_rng(5).permutation(len(found.target))
    return np.uint8(found.images)[order] * 15, found.target[order].astype(np.int32)


def placed(shape: tuple[int, ...], x: Array) -> Array:
    """Pictures [n, 8, 8] in the middle of samples of ``shape``."""
    made = np.zeros((len(x), *shape), x.dtype)
    top, left = (shape[1] - 8) // 2, (shape[2] - 8) // 2
    made[:, 0, top : top + 8, left : left + 8] = x
    return made


def other_light(x: Array) -> Array:
    return np.ascontiguousarray(np.float32(0.5) * (np.float32(x) / np.float32(255)) + np.float32(0.3))


def plan(name: str, epochs: int) -> sv.Plan:
    """Trained for ``epochs`` on 800 digits."""
    small = MODELS[name]
    torch.manual_seed(0)
    net, (x, y) = small.make(), digits()
    inputs = torch.from_numpy(np.float32(placed(small.shape, x[:800])) / np.float32(255))
    labels = torch.from_numpy(y[:800]).long()
    optimiser = torch.optim.Adam(net.parameters(), 0.003)
    for _ in range(epochs):
        for part in torch.randperm(800).split(50):
            optimiser.zero_grad()
            torch.autograd.backward(nn.functional.cross_entropy(net(inputs[part]), labels[part]))
            optimiser.step()
    scale, rate = sv.Preprocess(scale=(1 / 255,), offset=(0.0,)), sv.SGD(lr=RATE, momentum=0.9)
    example = torch.zeros(BATCH, *small.shape)
    return sv.plan(net.eval(), example, optimizer=rate, update=small.update, preprocess=scale, name="small")


def learner(name: str, session: sv.Session) -> sv.Learner:
    shape, (x, y) = MODELS[name].shape, digits()
    of: dict[str, Any] = {"dtype": np.float32, "classes": 10, "codec": "int8"}
    anchor = sv.Anchor(placed(shape, x[800 : 800 + ANCHOR]), y[800 : 800 + ANCHOR], margin=0.02)
    memory, held_out = sv.Replay(MEMORY, shape, seed=1, **of), sv.Replay(HELD_OUT, shape, seed=2, **of)
    return sv.Learner(session, memory=memory, held_out=held_out, anchor=anchor)


def stream(name: str, n: int) -> tuple[Array, Array]:
    """``n`` samples and classes, again from the first where they end."""
    x, y = digits()
    rows = np.arange(n) % (len(x) - 1200) + 1200
    return other_light(placed(MODELS[name].shape, x[rows])), y[rows]
