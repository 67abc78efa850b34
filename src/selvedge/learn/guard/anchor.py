"""Samples of the distribution that a model began with: part of them is learnt from, the others only judge."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput

Array = npt.NDArray[Any]
STAKES = (0.1, 0.3, 0.6, 0.95)  # shares of the wealth that are bet on "no more than that is lost"
HALVINGS = 24  # of 0 to 1: the bound is found to 6e-8, and lies above


@dataclass(frozen=True, slots=True)
class Loss:
    """Of merit, candidate against another: the mean, and its upper bound at the error that was asked for."""

    mean: float
    upper: float


def lost(gains: Array, nats: float) -> Loss:
    """The mean of -``gains`` [n] in -1..1 and an upper bound of what it is a sample of, 0..1, wrong with exp(-``nats``)
    at most, whatever the distribution: of samples drawn alike, and a candidate that was there before they were.

    It is the least loss against which the bets are won: under "a loss of u or more" each gain d multiplies the wealth
    of stake s by 1 + s (d + u), whose mean is at most 1, so that the mean wealth of the stakes, 1 before the first, is
    a supermartingale; it ever reaches exp(nats) with a chance of exp(-nats) at most (Ville 1939; Waudby-Smith & Ramdas,
    *Estimating means of bounded random variables by betting*, 2023, section 4; Howard et al., *Time-uniform,
    nonparametric, nonasymptotic confidence sequences*, 2021). The wealth rises with u: the bound is found by halving.
    """
    values, counts = _counted(gains)
    mean = float(-gains.mean())
    low, high = max(mean, 0.0), 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _wealth(values, counts, middle) >= nats:
            high = middle
        else:
            low = middle
    return Loss(mean, high)


def hopeless(gains: Array, n: int, nats: float, margin: float) -> bool:
    """Whether, of ``n`` judges, those that were asked first - their ``gains`` - leave no hope that :func:`lost` of all
    would be at most ``margin``: not even if none of the others were lost, and as many of them gained as of these.

    What is not judged cannot be committed: to give up is safe by whatever rule, and saves the other predictions.
    """
    values, counts = _counted(gains)
    counts[values > 0] *= n / len(gains)
    counts[values == 0] = n - counts[values < 0].sum() - counts[values > 0].sum()
    return _wealth(values, counts, margin) < nats


def _counted(gains: Array) -> tuple[Array, Array]:
    """The different gains, rising, nought among them, and how many there are of each, as float64."""
    values, counts = np.unique(np.append(gains.astype(np.float64), 0.0), return_counts=True)
    return values, np.where(values == 0, counts - 1.0, counts)


def _wealth(values: Array, counts: Array, loss: float) -> float:
    """The logarithm of what 1 has become behind such gains, of bets against a loss of ``loss`` or more."""
    each: list[tuple[float, float]] = list(zip(values.tolist(), counts.tolist(), strict=True))
    logs = [sum(many * math.log1p(stake * (gain + loss)) for gain, many in each) for stake in STAKES]
    top = max(logs)
    return top + math.log(sum(math.exp(log - top) for log in logs) / len(STAKES))


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
