"""What a detector scores on the whole corpus, and on series that neither its threshold nor its settings have seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from selvedge.learn.anomaly.nab import curve
from selvedge.learn.anomaly.novelty import NoveltyDetector

from . import native
from .corpus import PUBLISHED, Series, corpus, published

Scores = Sequence[npt.NDArray[Any]]
FOLDS, PARTITIONS = 5, 5
WARM, HOLD = (2, 10, 50, 200), (25, 50, 100, 200, 400)
GRID = [{"warm": warm, "hold": hold} for warm, hold in product(WARM, HOLD)]
DEFAULT = {"warm": 10, "hold": 100}
CLOCK = 600  # rows between two alarms of a detector that looks at no value: the best of 150 to 600 on the corpus


def study(say: Callable[[str], None]) -> dict[str, Any]:
    """Every row of the table, as plain data. ``say``: told what is done next."""
    series, rows = corpus(), []
    for name, (title, total) in PUBLISHED.items():
        say(title)
        rows.append({"detector": title, "published": total, **judged(series, [published(name)], [{}])})
    for title, made in DUMMIES.items():
        say(title)
        rows.append({"detector": title, **made(series)})
    say("novelty in C")
    began = time.process_time()
    tried = [_novelty(series, settings) for settings in GRID]
    spent = (time.process_time() - began) / len(GRID) / sum(s.values.size for s in series)
    found = judged(series, tried, GRID)
    at = GRID.index(DEFAULT)
    whole, threshold = curve([s.judged for s in series], tried[at]).best
    own = {"whole": whole, "threshold": threshold, "held out, threshold alone": _held(series, [tried[at]], [DEFAULT])}
    small = {
        capacity: round(curve([s.judged for s in series], _novelty(series, DEFAULT, capacity)).best[0], 2)
        for capacity in (64, 128, 256, 512)
    }
    say("novelty in Python")
    rows.append(
        {
            "detector": "novelty",
            **found,
            **own,
            "settings": DEFAULT,
            "state bytes": NoveltyDetector().bytes,
            "whole by values held": small,
            "microseconds": {"C": 1e6 * spent, "Python": _python_microseconds(series)},
        }
    )
    return {"rows": rows, "grid": GRID, "folds": FOLDS, "partitions": PARTITIONS, "files": _files(series, tried[at])}


def judged(series: Sequence[Series], tried: Sequence[Scores], settings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The best of ``tried`` on all series, and what five folds make of choosing among them and of the threshold."""
    best = [curve([s.judged for s in series], scores).best for scores in tried]
    at = max(range(len(best)), key=lambda i: best[i][0])
    return {
        "whole": best[at][0],
        "threshold": best[at][1] if np.isfinite(best[at][1]) else None,
        "whole, best of grid": {"score": best[at][0], **settings[at]},
        "held out": _held(series, tried, settings),
        "held out by group": _by_group(series, tried, settings),
    }


def _held(series: Sequence[Series], tried: Sequence[Scores], settings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Threshold and settings of a fold are the best on the files of the other four; five random partitions."""
    scores, folds = [], []
    for seed in range(PARTITIONS):
        order = np.random.default_rng(seed).permutation(len(series))
        points, parts = _chosen_elsewhere(series, tried, settings, [order[i::FOLDS] for i in range(FOLDS)])
        scores.append(points)
        folds += parts
    return {"mean": float(np.mean(scores)), "low": min(scores), "high": max(scores), "folds": folds}


def _by_group(
    series: Sequence[Series], tried: Sequence[Scores], settings: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """As :func:`_held`, each fold all files of one group: another kind of source than all that chose."""
    groups = sorted({s.group for s in series})
    held = [np.array([i for i, s in enumerate(series) if s.group == group]) for group in groups]
    total, parts = _chosen_elsewhere(series, tried, settings, held)
    return {"score": total, "folds": [{"group": g, **p} for g, p in zip(groups, parts, strict=True)]}


def _chosen_elsewhere(
    series: Sequence[Series],
    tried: Sequence[Scores],
    settings: Sequence[Mapping[str, Any]],
    held: Sequence[npt.NDArray[np.intp]],
) -> tuple[float, list[dict[str, Any]]]:
    points, parts = 0.0, []
    for out in held:
        rest = np.setdiff1d(np.arange(len(series)), out)
        found = [curve([series[i].judged for i in rest], [s[i] for i in rest]).best for s in tried]
        at = max(range(len(found)), key=lambda i: found[i][0])
        judge = curve([series[i].judged for i in out], [tried[at][i] for i in out])
        gained = judge.points(found[at][1])
        points += gained
        windows = judge.windows
        score = 100 * (gained + windows) / (2 * windows) if windows else None
        bar = found[at][1] if np.isfinite(found[at][1]) else None  # None: no alarm was best
        parts.append({"score": score, "points": gained, "windows": windows, "threshold": bar, **settings[at]})
    windows = sum(s.judged.windows for s in series)
    return 100 * (points + windows) / (2 * windows), parts


def _novelty(series: Sequence[Series], settings: Mapping[str, int], capacity: int = 672) -> Scores:
    return [native.scores(s.values, s.times, capacity=capacity, **settings) for s in series]


def _python_microseconds(series: Sequence[Series]) -> float:
    """Of an update, over the five longest series' first 2,000 rows."""
    spent, rows = 0.0, 0
    for s in sorted(series, key=lambda s: -s.values.size)[:5]:
        detector, stream = NoveltyDetector(), list(zip(s.values[:2000].tolist(), s.times.tolist(), strict=False))
        began = time.process_time()
        for value, moment in stream:
            detector.update(value, moment)
        spent, rows = spent + time.process_time() - began, rows + len(stream)
    return 1e6 * spent / rows


def _files(series: Sequence[Series], scores: Scores) -> list[dict[str, Any]]:
    """Of each series at the threshold of the whole corpus: windows, those found, false alarms."""
    threshold = curve([s.judged for s in series], scores).best[1]
    found = []
    for s, given in zip(series, scores, strict=True):
        alarms = np.flatnonzero(given >= threshold)
        window = s.judged.window[alarms[alarms >= s.judged.probation]]
        hit = np.unique(window[window >= 0]).size
        found.append(
            {"file": s.name, "windows": s.judged.windows, "found": hit, "false alarms": int((window < 0).sum())}
        )
    return found


def _silent(series: Sequence[Series]) -> dict[str, Any]:
    return judged(series, [[np.zeros(s.values.size) for s in series]], [{}])


def _random(series: Sequence[Series]) -> dict[str, Any]:
    """Uniform scores; the mean of five seeds."""
    tried = [
        [np.random.default_rng([seed, i]).random(s.values.size) for i, s in enumerate(series)] for seed in range(5)
    ]
    each = [judged(series, [scores], [{}]) for scores in tried]
    mean = float(np.mean([row["whole"] for row in each]))
    held = [row["held out"][key] for row in each for key in ("mean", "low", "high")]
    group = float(np.mean([row["held out by group"]["score"] for row in each]))
    return {
        "whole": mean,
        "threshold": None,
        "held out": {"mean": float(np.mean(held[::3])), "low": min(held[1::3]), "high": max(held[2::3])},
        "held out by group": {"score": group},
    }


def _clock(series: Sequence[Series]) -> dict[str, Any]:
    """An alarm every ``CLOCK`` rows, whatever the values: what the score pays for no knowledge at all."""
    return judged(series, [[np.float64(np.arange(s.values.size) % CLOCK == 0) for s in series]], [{}])


def _ring(series: Sequence[Series]) -> dict[str, Any]:
    """The distance to the nearest of the last 900 values, in standard deviations of all such distances so far, held as
    novelty is: what is left of it without its memory."""
    return judged(series, [[_ring_scores(s.values) for s in series]], [{}])


def _ring_scores(values: npt.NDArray[np.float64], ring: int = 900, hold: int = 100) -> npt.NDArray[np.float64]:
    before = np.lib.stride_tricks.sliding_window_view(np.concatenate((np.full(ring, np.inf), values[:-1])), ring)
    gap = np.zeros(values.size)
    for start in range(0, values.size, 4096):  # in parts: whole it would take hundreds of MB
        part = slice(start, start + 4096)
        gap[part] = np.abs(before[part] - values[part, None]).min(axis=1)
    gap[0] = 0
    count = np.arange(1, values.size + 1)
    mean = np.cumsum(gap) / count
    spread = np.sqrt(np.maximum(np.cumsum(gap * gap) / count - mean * mean, 0)) + 0.01 * mean
    z = np.zeros(values.size)
    z[20:] = ((gap[1:] - mean[:-1]) / np.maximum(spread[:-1], 1e-12))[19:]
    scores, peak, at = np.zeros(values.size), 0.0, -hold
    for row, odd in enumerate(z):
        if odd > (peak if row - at <= hold else 0.0):
            scores[row], peak, at = odd, odd, row
    return scores


DUMMIES: Mapping[str, Callable[[Sequence[Series]], dict[str, Any]]] = {
    "no alarm": _silent,
    "random": _random,
    f"an alarm every {CLOCK} rows": _clock,
    "ring of 900, nearest neighbour": _ring,
}
