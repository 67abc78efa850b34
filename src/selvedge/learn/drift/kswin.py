"""KSWIN: the last numbers against some of those before them, by a Kolmogorov-Smirnov test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ..given import State
from .detector import fitting, number, scalar, whole, within
from .subset import Subset

Draw = Callable[[int, int], Sequence[int] | npt.NDArray[np.intp]]


class KSWIN:
    """Kolmogorov-Smirnov windowing (Raab, Heusinger & Schleif, *Reactive soft prototype computing for concept drift
    streams*, Neurocomputing 416, 2020), as river has it.

    Of the last ``window_size`` numbers the newest ``stat_size`` are set beside as many drawn from the others. Drift:
    their distribution functions are somewhere so far apart (and more than 0.1) that by the exact two-sided test this
    has a chance of at most ``alpha`` where nothing changed.

    seed: of the draws, which begin again with each window. draw: ``draw(n, k)`` gives k different numbers of 0..n-1;
    where it is given the caller keeps its state. 8 * window_size + 13 bytes of state.
    """

    takes: ClassVar[str] = "numbers"
    warning = False

    def __init__(
        self, alpha: float = 0.005, window_size: int = 100, stat_size: int = 30, seed: int = 0, draw: Draw | None = None
    ) -> None:
        """Raises ``InvalidInput`` for a setting out of range: the window is at least twice ``stat_size``."""
        self.alpha = within("kswin alpha", alpha, 0, 1)
        self.stat_size = whole("kswin stat_size", stat_size, 1, 10_000)
        self.window_size = whole("kswin window_size", window_size, 2 * self.stat_size, 1 << 20)
        self.seed = whole("kswin seed", seed, 0, 1 << 53)
        self._given = draw
        self._window = np.zeros(self.window_size)
        self._apart = critical(self.stat_size, self.alpha)
        self.reset()

    def reset(self) -> None:
        self.drift = False
        self._held = 0
        self._window[:] = 0
        self._own = Subset(self.seed)

    def update(self, value: float) -> None:
        x = number(value)
        if self.drift:
            self.reset()
        if self._held == self.window_size:
            self._window[:-1] = self._window[1:].copy()
        else:
            self._held += 1
        self._window[self._held - 1] = x
        if self._held == self.window_size:
            draw, before = self._given or self._own, self.window_size - self.stat_size
            self.drift = (
                apart(self._window[np.asarray(draw(before, self.stat_size))], self._window[before:]) >= self._apart
            )

    @property
    def bytes(self) -> int:
        return self._window.nbytes + 4 + 8 + 1

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        return {
            "window": self._window.copy(),
            "held": np.array(self._held, np.uint32),
            "random": np.array(self._own.word, np.uint64),
            "drift": scalar(self.drift),
        }

    def load_state_dict(self, state: State) -> None:
        fitting("kswin", self.state_dict(), state)
        if int(state["held"]) > self.window_size:
            raise InvalidInput("kswin state held", int(state["held"]), f"at most {self.window_size} fit")
        self._window[...] = state["window"]
        self._held, self._own.word, self.drift = int(state["held"]), int(state["random"]), bool(state["drift"])


def apart(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> int:
    """n times the Kolmogorov-Smirnov statistic of ``a`` [n] and ``b`` [n]: the largest difference of how many of either
    are no larger than some number."""
    a, b = np.sort(a), np.sort(b)
    both = np.concatenate((a, b))
    return int(np.abs(a.searchsorted(both, "right") - b.searchsorted(both, "right")).max())


def critical(n: int, alpha: float) -> int:
    """The least :func:`apart` of two samples of ``n`` that is a drift at ``alpha``; n + 1 where none is."""
    low, high = n // 10 + 1, n + 1  # more than 0.1 apart
    while low < high:
        middle = (low + high) // 2
        if chance(n, middle) <= alpha:
            high = middle
        else:
            low = middle + 1
    return low


def chance(n: int, h: int) -> float:
    """Two samples of ``n`` from one continuous distribution: the chance that they are ``h`` or more apart, 1..n.

    2 sum_{k >= 1} (-1)^(k+1) C(2n, n - k h) / C(2n, n) (Gnedenko & Korolyuk 1951; Hodges 1958), from the inside out.
    """
    p = 0.0
    for k in range(n // h, -1, -1):
        term = 1.0
        for j in range(h):
            term = (n - k * h - j) * term / (n + k * h + j + 1)
        p = term * (1.0 - p)
    return 2 * p
