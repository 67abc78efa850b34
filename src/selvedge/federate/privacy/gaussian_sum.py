"""A sum of clipped vectors that is told with noise: whole numbers of one step, from the first clip to the release."""

from __future__ import annotations

from collections.abc import Callable
from math import floor, log2
from typing import Any

import numpy as np
import numpy.typing as npt

from .clip import Ints, bounded, whole
from .noise import discrete_gaussian
from .randomness import Source

STEPS = 2.0**20  # of sigma: so fine that rounding is nothing beside it, of a million elements too
Drawn = Callable[[int, float, Source], Ints]


class Lattice:
    """Steps of 2**-``bits``, so fine that ``sigma``, ``noise`` times ``clip``, is 2**19 to 2**20 of them."""

    def __init__(self, clip: float, noise: float) -> None:
        self.clip, self.noise = bounded("clip", clip), bounded("noise", noise)
        self.bits = floor(log2(STEPS / (self.clip * self.noise)))
        self.step = 2.0**-self.bits

    def of(self, vector: npt.NDArray[Any]) -> Ints:
        """int64, in steps, of a norm of at most ``clip``."""
        return whole(vector, self.clip, self.step)

    def released(self, total: Ints, source: Source, drawn: Drawn = discrete_gaussian) -> npt.NDArray[np.float64]:
        """``total``, in steps, with noise, as numbers. drawn: the noise, for an audit of what is without."""
        return np.asarray((total + drawn(len(total), self.clip * self.noise / self.step, source)) * self.step)
