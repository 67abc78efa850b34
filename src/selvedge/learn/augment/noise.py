"""Samples with noise on them."""

from __future__ import annotations

import numpy as np

from ..draws import Draws
from .piece import Array, batch, number

MIDDLE = 2 * 0xFFFF  # the mean of four numbers of 16 bits
SPREAD = np.float32(((2**32 - 1) / 3) ** -0.5)  # one over their standard deviation


class Noise:
    """Plus ``deviation`` times a nearly normal number, one draw each: the four 16-bit parts of the word, summed
    (Irwin-Hall of four: mean 0, variance 1, at most 3.47 away, excess kurtosis -0.3), so that a microcontroller has it
    for a few shifts, to the last bit. In C: ``learn/c/augment.h``.
    """

    def __init__(self, deviation: float) -> None:
        """deviation: in the samples' unit. Raises ``InvalidInput`` for a negative one."""
        self.deviation = number("noise deviation", deviation, 0, 1e6)

    def __call__(self, x: Array, draws: Draws) -> Array:
        words = draws.words(batch("noise", x).size)
        parts = words.view(np.uint16).reshape(-1, 4).sum(1, dtype=np.int32)  # whichever end comes first: a sum
        normal = (parts - MIDDLE).astype(np.float32) * SPREAD
        return np.asarray(x + np.float32(self.deviation) * normal.reshape(x.shape))
