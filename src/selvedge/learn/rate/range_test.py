"""The range of rates at which a model learns: the loss while the rate rises (Smith, arXiv:1506.01186, sec. 3.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ...run.calls import NotFinite
from ...run.session import Session
from .lesson import Lesson, require_parts, step

MEMORY = 0.8  # of the average over losses, a step
WORSE = 1.5  # times the loss of the beginning: it diverges
BELOW = 8.0  # the rate that is chosen, under the one at which it diverges: chosen on other seeds than the benchmark's


@dataclass(frozen=True, slots=True)
class RangeTest:
    """``rates`` and ``losses`` [n] of the steps made, the losses averaged; ``diverged``: the rate at which the last one
    fell apart, None where none did; ``rate``: to learn with."""

    rates: npt.NDArray[np.float64]
    losses: npt.NDArray[np.float64]
    diverged: float | None
    rate: float

    def __str__(self) -> str:
        seen = "up to it nothing diverges" if self.diverged is None else f"it diverges at {self.diverged:.2g}"
        return f"rate {self.rate:.2g}: {seen}"


def range_test(
    session: Session, lesson: Lesson, *, lowest: float = 1e-5, highest: float = 3.0, steps: int = 100, parts: int = 0
) -> RangeTest:
    """``steps`` updates of ``lesson(n)`` at rates that rise geometrically; then the session is bit for bit what it was.

    It diverges where the averaged loss is half as large again as in the beginning, or no number. ``rate`` lies a factor
    of 8 below that: momentum needs a few steps to show it, and what carries a hundred steps must carry thousands.
    parts: micro-batches of an update, of a plan that accumulates; 0: all. lesson: with ``parts`` times the plan's
    batch samples, labelled where the loss has a target. RAM: a copy of what learns.

    Raises ``InvalidInput`` for settings that cannot be, and where it diverges at once: then no rate is found.
    """
    parts = parts or session.manifest.accumulate
    require_parts(session, parts)
    if not (0 < lowest < highest < math.inf):
        raise InvalidInput("lowest, highest", (lowest, highest), "give two rates above 0, the lower one first")
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 10:
        raise InvalidInput("steps", steps, "give 10 or more")
    rates = np.geomspace(lowest, highest, steps)
    before, place = session.snapshot(), session.steps
    losses: list[float] = []
    average, diverged = 0.0, None
    try:
        for i, rate in enumerate(rates):
            x, y = lesson(parts * session.manifest.batch)
            try:
                loss = step(session, x, y, float(rate), parts)
            except NotFinite:
                loss = math.inf
            average = MEMORY * average + (1 - MEMORY) * loss
            losses.append(average / (1 - MEMORY ** (i + 1)))  # Kingma & Ba 2015, sec. 3: what the zero at first takes
            if not math.isfinite(loss) or (i >= steps // 10 and losses[-1] > WORSE * _usual(losses, steps)):
                diverged = float(rate)
                break
    finally:
        session.restore(before, place)
    found = (float(highest) if diverged is None else diverged) / BELOW
    if found < lowest:
        raise InvalidInput("lowest", lowest, f"it diverges at {diverged:.2g}: give a lower one, or scale the input")
    return RangeTest(rates[: len(losses)], np.array(losses), diverged, found)


def _usual(losses: list[float], steps: int) -> Any:
    """The averaged loss of the first tenth of the steps, at rates too low to change it."""
    return np.mean(losses[: steps // 10])
