"""Random numbers of eight bytes of state, equal on every machine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..draws import GOLDEN, WORD, mixed


class SplitMix64:
    """splitmix64 (Steele, Lea & Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014).

    state: uint64 [1], where the state lives; it is advanced in place.
    """

    def __init__(self, state: npt.NDArray[np.uint64]) -> None:
        self._state = state

    def below(self, bound: int) -> int:
        """An integer in 0..bound-1: the top 32 bits, scaled; the bias is below bound / 2**32."""
        word = (int(self._state[0]) + GOLDEN) & WORD
        self._state[0] = word
        return (mixed(word) >> 32) * bound >> 32
