"""Two or more contestants timed in one process, interleaved, so that what disturbs one disturbs the other."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Seconds a call: the median of the rounds, and their quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Timing:
        low, median, high = statistics.quantiles(values, n=4)
        return cls(median, low, high)


def interleaved(
    contestants: Mapping[str, Callable[[], object]], rounds: int = 21, seconds: float = 0.03
) -> dict[str, list[float]]:
    """Name -> seconds a call, one figure a round. Each turn lasts about ``seconds``."""
    calls: dict[str, int] = {}
    for name, call in contestants.items():
        for _ in range(3):
            call()
        start = time.perf_counter()
        call()
        calls[name] = max(1, round(seconds / (time.perf_counter() - start)))
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, call in contestants.items():
            start = time.perf_counter()
            for _ in range(calls[name]):
                call()
            found[name].append((time.perf_counter() - start) / calls[name])
    return found
