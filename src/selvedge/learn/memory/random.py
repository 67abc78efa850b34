"""Random numbers of eight bytes of state, equal on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

WORD = (1 << 64) - 1
_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


class SplitMix64:
    """splitmix64 (Steele, Lea & Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014).

    state: uint64 [1], where the state lives; it is advanced in place.
    """

    def __init__(self, state: npt.NDArray[np.uint64]) -> None:
        self._state = state

    def below(self, bound: int) -> int:
        """An integer in 0..bound-1: the top 32 bits, scaled; the bias is below bound / 2**32."""
        word = (int(self._state[0]) + _GOLDEN) & WORD
        self._state[0] = word
        word = ((word ^ (word >> 30)) * _FIRST) & WORD
        word = ((word ^ (word >> 27)) * _SECOND) & WORD
        return ((word ^ (word >> 31)) >> 32) * bound >> 32


def stream(n: int, seed: int = 0) -> npt.NDArray[np.uint64]:
    """The first ``n`` words of the generator seeded with ``seed``, uint64 [n]: made again rather than kept."""
    with np.errstate(over="ignore"):
        word: npt.NDArray[Any] = np.uint64(seed & WORD) + np.uint64(_GOLDEN) * np.arange(1, n + 1, dtype=np.uint64)
        word = (word ^ (word >> np.uint64(30))) * np.uint64(_FIRST)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(_SECOND)
        made: npt.NDArray[np.uint64] = word ^ (word >> np.uint64(31))
    return made
