"""The score of the Numenta Anomaly Benchmark, for its corpus or for labels of one's own.

After Lavin & Ahmad, *Evaluating Real-time Anomaly Detection Algorithms - the Numenta Anomaly Benchmark* (ICMLA 2015),
sections II.B-C, standard profile. An alarm inside a labelled window earns up to 1, the more the earlier, and only the
best of a window counts; a window without an alarm costs 1; an alarm outside costs up to 0.11, less shortly behind a
window. The first 15 % of a series (of at most 5,000 rows) are not judged. 0 is what raising no alarm gets, 100 what an
alarm at the very start of each window, and nowhere else, gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput

FALSE_ALARM = 0.11
PROBATION, LONGEST = 0.15, 5000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """What an alarm at each row of a series is worth.

    worth: float64 [rows]; window: int64 [rows], the window a row lies in, else -1; windows: how many;
    probation: rows at the start that are not judged.
    """

    worth: Floats
    window: npt.NDArray[np.int64]
    windows: int
    probation: int


@dataclass(frozen=True, slots=True)
class Curve:
    """The corpus at each threshold: thresholds descending, gained [thresholds] in points, windows in all."""

    thresholds: Floats
    gained: Floats
    windows: int

    @property
    def scores(self) -> Floats:
        """0 for no alarm, 100 for perfect, below 0 for many false ones. Without a window: 0 or below."""
        return 100 * (self.gained + self.windows) / (2 * max(self.windows, 1))

    @property
    def best(self) -> tuple[float, float]:
        """The highest score and its threshold; of equals the highest threshold. No alarm at all: 0 and infinity."""
        at = int(np.argmax(self.scores)) if self.scores.size else 0
        if not self.scores.size or self.scores[at] <= 0:
            return 0.0, float("inf")
        return float(self.scores[at]), float(self.thresholds[at])

    def points(self, threshold: float) -> float:
        """Gained with an alarm wherever a score is at least ``threshold``: -windows .. windows, and below."""
        reached = int(np.searchsorted(-self.thresholds, -threshold, side="right"))
        return float(self.gained[reached - 1]) if reached else -float(self.windows)


def judge(rows: int, windows: Sequence[tuple[int, int]]) -> Judged:
    """``windows``: first and last row of each, both in it, in order and apart.

    Raises ``InvalidInput`` for windows that overlap, are out of order, shorter than two rows or out of the series.
    """
    worth, window = np.full(rows, -FALSE_ALARM), np.full(rows, -1, np.int64)
    highest, before = float(_sigmoid(np.float64(-1))), -1
    for number, (first, last) in enumerate(windows):
        if not before < first < last < rows:
            fix = f"give rows of two or more within 0..{rows - 1}, in order and apart"
            raise InvalidInput(f"window {number}", (first, last), fix)
        width = last - first + 1
        inside = np.arange(first, last + 1)
        window[inside] = number
        worth[inside] = _sigmoid(-(last - inside + 1) / width) / highest
        behind = np.arange(last + 1, rows)  # until the next window writes over it
        worth[behind] = FALSE_ALARM * _sigmoid((behind - last) / (width - 1))
        before = last
    return Judged(worth, window, len(windows), int(PROBATION * min(rows, LONGEST)))


def curve(judged: Sequence[Judged], scores: Sequence[npt.ArrayLike]) -> Curve:
    """What each threshold gains over all series together. ``scores``: [rows] of each, not finite = never an alarm.

    Raises ``InvalidInput`` where scores and series do not belong together.
    """
    if len(judged) != len(scores):
        raise InvalidInput("scores", f"of {len(scores)} series", f"give {len(judged)}")
    given, worth, window, total = [np.zeros(0)], [np.zeros(0)], [np.zeros(0, np.int64)], 0
    for number, (series, values) in enumerate(zip(judged, scores, strict=True)):
        array = np.asarray(values, np.float64)
        if array.shape != series.worth.shape:
            raise InvalidInput(f"scores of series {number}", f"{list(array.shape)}", f"give {series.worth.size}")
        kept = np.flatnonzero(np.isfinite(array))
        kept = kept[kept >= series.probation]
        given.append(array[kept])
        worth.append(series.worth[kept])
        window.append(np.where(series.window[kept] < 0, -1, series.window[kept] + total))
        total += series.windows
    score, gain, within = np.concatenate(given), np.concatenate(worth), np.concatenate(window)
    order = np.argsort(-score, kind="stable")
    score, gain, within = score[order], gain[order], within[order]
    # Of a window only the best alarm counts: what a row adds is what it is better by; the first takes off the -1.
    inside = np.flatnonzero(within >= 0)
    inside = inside[np.argsort(within[inside], kind="stable")]
    lift = 10.0 * within[inside]  # a window's worths, within -1..1, above all of the windows before it
    best = np.maximum.accumulate(gain[inside] + lift) - lift
    earlier = np.concatenate((np.full(1, -1.0), best[:-1]))[: best.size]
    starts = np.ones(inside.size, np.bool_)
    starts[1:] = np.diff(within[inside]) != 0
    gain[inside] = best - np.where(starts, -1.0, earlier)
    ends = np.ones(score.size, np.bool_)
    ends[:-1] = np.diff(score) != 0
    return Curve(score[ends], (np.cumsum(gain) - total)[ends], total)


def _sigmoid(position: npt.NDArray[Any] | np.float64) -> Floats:
    """1 far before the end of a window (position -1 is its start), 0 at its end, -1 from three widths behind it on."""
    worth: Floats = np.where(position > 3, -1.0, 2 / (1 + np.exp(5 * np.minimum(position, 3))) - 1)
    return worth
