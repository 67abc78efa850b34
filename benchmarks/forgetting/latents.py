"""Replay of latents: a front that is frozen and random, a head that learns; int8 beside float32 at equal count."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import nn

import selvedge as sv
from selvedge.learn.memory.replay import Replay

from .digits import TRAIN, Array, mnist
from .learning import REPLAY, Learnt, Settings, compiled, one_pass

WIDTH = 512
SETTINGS = Settings(rate=0.001, shift=0)  # chosen as all are, of float32: at the rate for pictures the head diverges
FRONT = 100  # samples a call


def front() -> nn.Module:
    """28 x 28 -> 512, as it was initialised: nothing is learnt beforehand."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(2, padding=1),
        nn.Flatten(),
    )  # fmt: skip


def head() -> nn.Module:
    return nn.Sequential(nn.Linear(WIDTH, 64), nn.ReLU(), nn.Linear(64, 10))


@lru_cache(maxsize=1)
def latents(seed: int) -> Array:
    """What the front makes of every picture, float32 [63000, WIDTH], over the root mean square of the first ones."""
    x, _ = mnist()
    torch.manual_seed(seed)
    session = sv.compile(sv.plan_inference(front().eval(), torch.zeros(FRONT, *x.shape[1:])))
    made = [session.predict(np.float32(x[i : i + FRONT]) / 255) for i in range(0, len(x), FRONT)]
    found = np.concatenate(made)
    return np.float32(found / np.sqrt(np.mean(found[:FRONT] ** 2)))


def learnt(codec: str, seed: int, settings: Settings, rows: int = TRAIN) -> Learnt:
    """The head learns, in one pass. codec: "int8" in ``REPLAY`` bytes, or "raw" for as many in float32."""
    room = REPLAY
    if codec == "raw":
        count = Replay(REPLAY, (WIDTH,), np.float32, classes=10, codec="int8").capacity
        room = 12 + 5 * 10 + count * (4 * WIDTH + 1)
    memory = Replay(room, (WIDTH,), np.float32, classes=10, seed=seed, codec=codec)
    session = compiled(head, torch.zeros(settings.new + settings.old, WIDTH), settings, seed)
    return one_pass(session, latents(seed), memory, seed, settings, rows)
