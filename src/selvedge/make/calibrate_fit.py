"""Measured kernels -> the time table: for each family and dtype, seconds per count of work, none of them negative.

Least absolute relative deviations by reweighted non-negative least squares (Lawson and Hanson, *Solving Least Squares
Problems*, 1974, ch. 23, for the latter; with at most seven columns every support is tried, which is exact).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..device.cost import Work
from ..device.figures import COUNTS, KernelTime, Rates

ROUNDS = 12
SHORT = 0.05  # weight of a kernel too short for the clock: it only has to be short
CLOSE = 0.03  # a relative deviation below which all are equally good


@dataclass(frozen=True, slots=True)
class Sample:
    """One kernel: its work and its seconds. ``short``: below the clock's floor. ``label``: its layer or model."""

    work: Work
    seconds: float
    short: bool
    label: str = ""


@dataclass(frozen=True, slots=True)
class Error:
    """Relative errors of predicted kernel times: median and 90th percentile of their sizes, and how many there are."""

    median: float
    p90: float
    kernels: int


def fit(samples: Iterable[Sample], floor: float) -> tuple[KernelTime, ...]:
    """A table with an entry for every family and dtype among ``samples``. floor: seconds the clock can tell apart."""
    groups: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.work.family, sample.work.dtype), []).append(sample)
    return tuple(KernelTime(*key, _rates(group, floor)) for key, group in sorted(groups.items()))


def _rates(group: Sequence[Sample], floor: float) -> Rates:
    names = [c for c in COUNTS if any(s.work.counts.get(c) for s in group)]
    amounts = np.array([[s.work.counts.get(c, 0.0) for c in names] for s in group])
    times = np.array([s.seconds for s in group])
    scale = amounts.max(axis=0)
    base = np.maximum(times, floor)
    start = np.array([SHORT if s.short else 1.0 for s in group]) / base
    weights, found = start, np.zeros(len(names))
    for _ in range(ROUNDS):
        found = nnls(amounts / scale * weights[:, None], times * weights)
        deviation = np.abs(amounts / scale @ found - times) / base
        weights = start / np.sqrt(np.maximum(deviation, CLOSE))
    return Rates(tuple(sorted((n, float(f"{v:.4g}")) for n, v in zip(names, found / scale, strict=True) if v > 0)))


def nnls(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The x >= 0 that minimises |a x - b|: the best of the unconstrained solutions over every set of columns."""
    best, found = float(b @ b), np.zeros(a.shape[1])
    for size in range(1, a.shape[1] + 1):
        for columns in combinations(range(a.shape[1]), size):
            part = a[:, columns]
            x = np.linalg.lstsq(part, b, rcond=None)[0]
            left = float(np.sum((part @ x - b) ** 2))
            if (x >= 0).all() and left < best * (1 - 1e-9):
                best = left
                found = np.zeros(a.shape[1])
                found[list(columns)] = x
    return found


def error(table: Sequence[KernelTime], samples: Iterable[Sample]) -> Error:
    """How far ``table`` is off, over the kernels that are long enough to time and have an entry."""
    rows = {(t.family, t.dtype): t.seconds for t in table}
    off = [
        abs(predicted(rows[key], s.work) - s.seconds) / s.seconds
        for s in samples
        if not s.short and (key := (s.work.family, s.work.dtype)) in rows
    ]
    if not off:
        return Error(float("nan"), float("nan"), 0)
    return Error(float(np.median(off)), float(np.quantile(off, 0.9)), len(off))


def predicted(rates: Rates, work: Work) -> float:
    return sum(amount * rates.get(name, 0.0) for name, amount in work.counts.items())
