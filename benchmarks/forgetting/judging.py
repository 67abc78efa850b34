"""The learner's own network as the judge of a trade: it is trained on what a memory would hold, from its beginning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import selvedge as sv

from .digits import HELD_OUT, TRAIN, Array, mnist
from .learning import Settings, compiled, network, shifted, told

STEPS = 800  # of one training
SAMPLES = 3000  # of the training images that are held out where settings are chosen


@dataclass(frozen=True, slots=True)
class Trained:
    """A judge: it tells what the network tells after ``steps`` on the samples, moved as the learner moves them."""

    session: Any
    beginning: bytes
    settings: Settings
    steps: int = STEPS

    def __call__(self, x: Array, y: Array, others: Array, /) -> Array:
        batch = self.settings.new + self.settings.old
        rng = np.random.default_rng(0)
        self.session.load_persistent(self.beginning)
        pictures = np.uint8(x).reshape(-1, 1, 28, 28)
        for _ in range(self.steps):
            rows = rng.integers(0, len(y), batch)
            self.session.step(shifted(pictures[rows], self.settings.shift, rng), y[rows])
        return told(self.session, np.uint8(others).reshape(-1, 1, 28, 28), batch)


def trained(settings: Settings, steps: int = STEPS) -> Trained:
    example = torch.zeros(settings.new + settings.old, 1, 28, 28)
    session = compiled(network, example, settings, 0, preprocess=sv.Preprocess())
    return Trained(session, session.persistent(), settings, steps)


def held_out() -> tuple[Array, Array]:
    """``SAMPLES`` of the last training images, of all digits, with their labels."""
    x, y = mnist()
    rows = slice(TRAIN - HELD_OUT, TRAIN - HELD_OUT + SAMPLES)
    return x[rows], y[rows]
