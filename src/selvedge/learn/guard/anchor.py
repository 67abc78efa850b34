"""Samples of the distribution that a model began with: part of them is learnt from, the others only judge."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from .spending import quantile

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Loss:
    """Of merit, candidate against another: the mean, and its upper bound at the error that was asked for."""

    mean: float
    upper: float


def lost(gains: Array, error: float) -> Loss:
    """The mean of -``gains`` [n] in -1..1 and an upper bound of it, wrong with about ``error``.

    The bound is the mean and z standard errors of the paired differences; a sample of each sign is added to them, so
    that few that agree do not pass for certainty (Agresti & Min, *Simple improved confidence intervals for comparing
    matched proportions*, 2005).
    """
    n = len(gains) + 2
    mean = float(-gains.mean())
    variance = (float((gains**2).sum()) + 2) / n - (float(gains.sum()) / n) ** 2
    return Loss(mean, mean + quantile(error) * math.sqrt(max(variance, 0.0) / n))


def hopeless(gains: Array, n: int, error: float, margin: float) -> bool:
    """Whether, of ``n`` judges, those that were asked first - their ``gains`` - leave little hope that :func:`lost` of
    all would be at most ``margin``: not even if the mean were two standard errors better than theirs.

    What is not judged cannot be committed: to give up spends nothing of the error, and saves the other predictions.
    """
    found = lost(gains, error)
    deviation = (found.upper - found.mean) / quantile(error)
    left = deviation * math.sqrt(max(0.0, 1 - len(gains) / n))
    return found.mean - 2 * left + quantile(error) * deviation * math.sqrt(len(gains) / n) > margin


class Anchor:
    """``x`` [n, ...], ``y`` [n, ...] or None as the session takes them, in an order without a pattern.

    margin: the promise: of the merit on this distribution no more than so much is lost against the start, a fraction.
    judging: how many of them only judge, the last ones; by default five in eight. The others are mixed into batches.
    They are only read: they may lie in flash. ``bytes`` counts them.
    """

    def __init__(
        self, x: npt.ArrayLike, y: npt.ArrayLike | None = None, *, margin: float = 0.01, judging: int | None = None
    ) -> None:
        """Raises ``InvalidInput`` for x and y of different lengths, a margin that is no fraction, and where fewer than
        16 would judge."""
        if not 0 < margin <= 1:
            raise InvalidInput("anchor margin", margin, "give a fraction of the merit, as 0.01")
        self.margin = margin
        self.x, self.y = np.asarray(x), None if y is None else np.asarray(y)
        if self.x.ndim < 1 or (self.y is not None and self.y.shape[:1] != self.x.shape[:1]):
            told = [] if self.y is None else list(self.y.shape)
            raise InvalidInput("anchor", f"x {list(self.x.shape)}, y {told}", "give one target for each sample")
        self.judging = 5 * len(self.x) // 8 if judging is None else judging
        if not 16 <= self.judging <= len(self.x):
            fix = f"give 16 to {len(self.x)}: these are samples of what the model began with that judge it"
            raise InvalidInput("anchor judging", self.judging, fix)

    @property
    def teaching(self) -> int:
        """How many of them are learnt from: the first ones."""
        return len(self.x) - self.judging

    @property
    def judges(self) -> tuple[Array, Array | None]:
        return self.x[self.teaching :], None if self.y is None else self.y[self.teaching :]

    def lesson(self, rows: Array) -> tuple[Array, Array | None]:
        """Those of ``rows`` in 0..teaching-1."""
        return self.x[rows], None if self.y is None else self.y[rows]

    @property
    def bytes(self) -> int:
        """Bytes in flash."""
        return self.x.nbytes + (0 if self.y is None else self.y.nbytes)
