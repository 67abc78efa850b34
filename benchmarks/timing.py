"""Two or more contestants timed in one process, interleaved, so that what disturbs one disturbs the other."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

FEWEST = 5  # rounds of the slowest


@dataclass(frozen=True)
class Timing:
    """Seconds a call: the median of the rounds, and their quartiles."""

    median: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, values: list[float]) -> Timing:
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high, len(values))


def interleaved(
    contestants: Mapping[str, Callable[[], object]],
    rounds: int = 21,
    seconds: float = 0.03,
    most: float = 2.0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, dict[int, float]]:
    """Name -> round -> seconds a call. Each turn lasts about ``seconds``, or one call.

    clock: ``time.process_time`` does not count what others on a busy machine take from all threads of this process.
    A contestant that would take more than ``most`` seconds in all sits rounds out, evenly, but plays ``FEWEST``.
    """
    calls: dict[str, int] = {}
    every: dict[str, int] = {}
    for name, call in contestants.items():
        start = clock()
        call()
        if clock() - start < seconds:
            for _ in range(3):
                call()
            start = clock()
            call()
        once = clock() - start
        calls[name] = max(1, round(seconds / once))
        plays = max(min(FEWEST, rounds), min(rounds, int(most / (calls[name] * once))))
        every[name] = rounds // plays
    found: dict[str, dict[int, float]] = {name: {} for name in contestants}
    for turn in range(rounds):
        for name, call in contestants.items():
            if turn % every[name]:
                continue
            start = clock()
            for _ in range(calls[name]):
                call()
            found[name][turn] = (clock() - start) / calls[name]
    return found


def ratios(one: Mapping[int, float], other: Mapping[int, float]) -> list[float]:
    """How many times ``other`` took the time of ``one``, in the rounds that both played."""
    return [other[turn] / one[turn] for turn in sorted(one.keys() & other.keys())]
