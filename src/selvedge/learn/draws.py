"""Random numbers by their number: the i-th draw of a seed is the same whoever asks, in whatever order."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

WORD = (1 << 64) - 1
GOLDEN, _A, _B = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_STEP, _FIRST, _SECOND, *_SHIFTS = (np.uint64(n) for n in (GOLDEN, _A, _B, 30, 27, 31))


def mixed(word: int) -> int:
    """What splitmix64 makes of its counter, 0 <= ``word`` < 2**64: one word, in whole numbers."""
    word = ((word ^ (word >> 30)) * _A) & WORD
    word = ((word ^ (word >> 27)) * _B) & WORD
    return word ^ (word >> 31)


class Draws:
    """splitmix64 (Steele, Lea & Flood, OOPSLA 2014) as a function of a counter: its whole state is ``count``.

    A 64-bit word a draw, as in C with wrapping unsigned arithmetic; what is made of it is stated at each method.
    """

    def __init__(self, seed: int, count: int = 0) -> None:
        self.seed, self.count = seed, count

    def words(self, n: int) -> npt.NDArray[np.uint64]:
        """The next ``n`` words."""
        first = np.uint64((self.seed + (self.count + 1) * GOLDEN) & WORD)
        word = np.arange(n, dtype=np.uint64)  # arrays wrap without a word of warning; in place, as it is asked often
        word *= _STEP
        word += first
        for shift, factor in zip(_SHIFTS[:2], (_FIRST, _SECOND), strict=True):
            word ^= word >> shift
            word *= factor
        word ^= word >> _SHIFTS[2]
        self.count += n
        return word

    def below(self, bound: int, n: int = 1) -> npt.NDArray[np.intp]:
        """``n`` of 0..bound-1, bound <= 2**32: the top 32 bits times it; the bias is at most bound / 2**32."""
        return ((self.words(n) >> np.uint64(32)) * np.uint64(bound) >> np.uint64(32)).astype(np.intp)

    def uniform(self, *shape: int) -> npt.NDArray[np.float32]:
        """In 0..1, 1 excluded: the top 24 bits times 2**-24, exact in float32."""
        words = self.words(int(np.prod(shape, dtype=np.int64)))
        return np.asarray((words >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)).reshape(shape)

    def normal(self, *shape: int) -> npt.NDArray[np.float32]:
        """Nearly standard normal: the sum of 12 uniforms less 6 (Irwin-Hall), the same in C to the last bit."""
        parts: npt.NDArray[Any] = self.uniform(12, *shape)
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return np.asarray(total - np.float32(6))
