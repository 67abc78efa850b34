"""Times of several calls, taken in turn: what disturbs the machine meanwhile disturbs all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

WARM = 20  # calls before the first that counts


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one call: the median of ``calls``, and their quartiles."""

    median: float
    low: float
    high: float
    calls: int


def interleaved(
    calls: Sequence[Callable[[], object]], *, most: int = 300, seconds: float = 1.0, warm: int = WARM
) -> list[Timing]:
    """A :class:`Timing` of each of ``calls``, which run one after the other, round by round: ``most`` rounds, or as
    many as begin within ``seconds`` (at least one)."""
    for call in calls:
        for _ in range(warm):
            call()
    times: list[list[float]] = [[] for _ in calls]
    end = time.perf_counter() + seconds
    rounds = 0
    while calls and rounds < most and (not rounds or time.perf_counter() < end):
        for call, took in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            took.append(time.perf_counter() - start)
        rounds += 1
    made = []
    for took in times:
        median, low, high = (float(q) for q in np.percentile(took, (50, 25, 75)))
        made.append(Timing(median, low, high, len(took)))
    return made
