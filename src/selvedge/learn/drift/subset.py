"""Some of n things, drawn without putting back: eight bytes of state, the same on every machine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..draws import GOLDEN, WORD, mixed


class Subset:
    """splitmix64 (Steele, Lea & Flood, OOPSLA 2014), whose state is one word, and a shuffle that stops after k."""

    def __init__(self, seed: int = 0) -> None:
        self.word = seed & WORD

    def __call__(self, n: int, k: int) -> npt.NDArray[np.intp]:
        """``k`` different numbers of 0..n-1, all sets equally likely but for a bias below n / 2**32."""
        picks = list(range(n))
        for i in range(k):
            j = i + (self._next() >> 32) * (n - i) // (1 << 32)
            picks[i], picks[j] = picks[j], picks[i]
        return np.array(picks[:k], np.intp)

    def _next(self) -> int:
        self.word = (self.word + GOLDEN) & WORD
        return mixed(self.word)
