"""ADWIN: a window that is cut where its older part has another mean than the newer."""

from __future__ import annotations

from math import log
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ..given import State
from .detector import fitting, number, scalar, whole, within


class ADWIN:
    """Adaptive windowing in buckets, ADWIN2 (Bifet & Gavalda, *Learning from time-changing data with adaptive
    windowing*, SDM 2007), as river has it.

    Row i holds up to ``max_buckets`` sums of 2**i numbers each and their variances (Babcock, Datar, Motwani &
    O'Callaghan, PODS 2003); where a row overflows, its two oldest become one of the next. Every ``clock`` numbers all
    cuts between buckets are tried, the oldest first: the window W = W0 W1 has changed where

        |mean(W0) - mean(W1)| > sqrt(2 m v d) + 2/3 d m,    d = ln(2 ln(|W|) / delta),
        m = 1 / (|W0| - min_window_length + 1) + 1 / (|W1| - min_window_length + 1),    v: the window's variance;

    then the oldest bucket goes, and it is tried again.

    delta: 0..1, bounds the chance of a false alarm each time. min_window_length: numbers that W0 and W1 have at least.
    grace_period: no cut is tried before there are more numbers. rows: how many there are; where the last overflows the
    oldest bucket is forgotten, so that the window ends at max_buckets * (2**rows - 1) numbers, 5.2 million, and the
    bytes are fixed: 16 * rows * (max_buckets + 1) + rows + 33. In C: ``learn/c/adwin.h``.
    """

    takes: ClassVar[str] = "numbers"
    warning = False

    def __init__(
        self,
        delta: float = 0.002,
        clock: int = 32,
        max_buckets: int = 5,
        min_window_length: int = 5,
        grace_period: int = 10,
        rows: int = 20,
    ) -> None:
        """Raises ``InvalidInput`` for a setting out of range."""
        self.delta = within("adwin delta", delta, 1e-300, 1)
        self.clock = whole("adwin clock", clock, 1, 1 << 30)
        self.max_buckets = whole("adwin max_buckets", max_buckets, 2, 100)
        self.min_window_length = whole("adwin min_window_length", min_window_length, 1, 1 << 30)
        self.grace_period = whole("adwin grace_period", grace_period, 1, 1 << 30)
        self.rows = whole("adwin rows", rows, 2, 40)
        self.reset()

    def reset(self) -> None:
        self.drift = False
        self._sums: list[list[float]] = [[] for _ in range(self.rows)]  # of each row, oldest first
        self._variances: list[list[float]] = [[] for _ in range(self.rows)]
        self.width = self.total = self.variance = 0.0
        self._tick = 0

    @property
    def mean(self) -> float:
        """Of the window; 0 where it is empty."""
        return self.total / self.width if self.width else 0.0

    def update(self, value: float) -> None:
        x = number(value)
        if self.drift:
            self.reset()
        self.width += 1
        if self.width > 1:
            off = x - self.total / (self.width - 1)
            self.variance += (self.width - 1) * off * off / self.width
        self.total += x
        self._push(0, x, 0.0)
        self._tick = (self._tick + 1) % self.clock
        if self._tick == 0 and self.width > self.grace_period:
            while self._cut():
                self.drift = True
                self._forget()

    def _push(self, row: int, total: float, variance: float) -> None:
        """A bucket into ``row``; where it overflows its two oldest go on as one."""
        sums, variances = self._sums[row], self._variances[row]
        sums.append(total)
        variances.append(variance)
        if len(sums) <= self.max_buckets:
            return
        if row == self.rows - 1:
            self._forget()
            return
        size = float(1 << row)
        apart = sums[0] / size - sums[1] / size
        both = variances[0] + variances[1] + size * 0.5 * apart * apart
        total = sums[0] + sums[1]
        del sums[:2], variances[:2]
        self._push(row + 1, total, both)

    def _forget(self) -> None:
        """The oldest bucket of all goes."""
        row = max(i for i, sums in enumerate(self._sums) if sums)
        size, total = float(1 << row), self._sums[row].pop(0)
        self.width -= size
        self.total -= total
        apart = total / size - self.total / self.width
        self.variance -= self._variances[row].pop(0) + size * self.width * apart * apart / (size + self.width)

    def _cut(self) -> bool:
        """Whether the window has changed at any cut."""
        held = [(float(1 << row), total) for row in reversed(range(self.rows)) for total in self._sums[row]]
        sizes, sums = np.array(held[:-1]).reshape(-1, 2).T  # oldest first; a cut behind each but the last
        older = np.cumsum(sizes)
        newer = self.width - older
        # One number after the other, as river adds them: another order would differ in the last bits.
        before = np.cumsum(sums)
        behind = np.subtract.accumulate(np.concatenate(([self.total], sums)))[1:]
        least = self.min_window_length
        fits = (older >= least) & (newer >= least)
        if self.variance < 0 or not fits.any():
            return False
        older, newer = older[fits], newer[fits]
        d = log(2 * log(self.width) / self.delta)
        m = 1 / (older - least + 1) + 1 / (newer - least + 1)
        bound = np.sqrt(2 * m * (self.variance / self.width) * d) + 2 / 3 * d * m
        return bool((np.abs(before[fits] / older - behind[fits] / newer) > bound).any())

    @property
    def bytes(self) -> int:
        return self.rows * (16 * (self.max_buckets + 1) + 1) + 4 * 8 + 1

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        sums, variances = np.zeros((2, self.rows, self.max_buckets + 1))
        for row in range(self.rows):
            held = len(self._sums[row])
            sums[row, :held], variances[row, :held] = self._sums[row], self._variances[row]
        return {
            "sums": sums,
            "variances": variances,
            "counts": np.array([len(row) for row in self._sums], np.uint8),
            "width": scalar(self.width),
            "total": scalar(self.total),
            "variance": scalar(self.variance),
            "tick": scalar(float(self._tick)),
            "drift": scalar(self.drift),
        }

    def load_state_dict(self, state: State) -> None:
        fitting("adwin", self.state_dict(), state)
        counts = state["counts"].astype(np.int64)
        if (counts > self.max_buckets).any() or float(counts @ 2.0 ** np.arange(self.rows)) != float(state["width"]):
            raise InvalidInput("adwin state counts", counts.tolist(), "they are not those of its width: give another")
        if not 0 <= float(state["tick"]) < self.clock:
            raise InvalidInput("adwin state tick", float(state["tick"]), f"give 0..{self.clock - 1}")
        self._sums, self._variances = (
            [row[:held].tolist() for row, held in zip(state[name], counts, strict=True)]
            for name in ("sums", "variances")
        )
        self.width, self.total, self.variance = (float(state[n]) for n in ("width", "total", "variance"))
        self._tick, self.drift = int(state["tick"]), bool(state["drift"])
