"""The machine's energy counter, where the kernel shows one: RAPL, by way of Linux's powercap."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/class/powercap")
BAND = 0.3  # the package, memory and converters apart; other processes' share cannot be told from ours


@dataclass(frozen=True, slots=True)
class Counter:
    """Microjoules of one package, counting up to ``most`` and over."""

    path: Path
    most: int

    def microjoules(self) -> int:
        return int(self.path.read_text(encoding="utf-8"))

    def start(self) -> Span:
        return Span(self, self.microjoules(), time.perf_counter())


@dataclass(frozen=True, slots=True)
class Span:
    """From a moment on."""

    counter: Counter
    microjoules: int
    began: float

    def watts(self) -> float | None:
        """Mean power of the package since then; None if the counter did not move."""
        spent = (self.counter.microjoules() - self.microjoules) % (self.counter.most + 1)
        taken = time.perf_counter() - self.began
        return spent * 1e-6 / taken if spent and taken > 0 else None


def find(root: Path = ROOT) -> Counter | None:
    """The first package's counter that this user may read; None where there is none."""
    for folder in sorted(root.glob("*rapl:[0-9]")):
        try:
            counter = Counter(folder / "energy_uj", int((folder / "max_energy_range_uj").read_text(encoding="utf-8")))
            counter.microjoules()
        except (OSError, ValueError):
            continue
        return counter
    return None
