"""The range of rates at which a model learns: the loss while the rate rises (Smith, arXiv:1506.01186, sec. 3.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ...run.ports import NotFinite
from ...run.session import Session
from .step import Lesson, require_parts, step

RATES = 28  # from 1e-5 to 3: five a decade
STEPS = 4  # updates at each rate
PROBE = 32  # samples whose loss is asked for at each rate
WORSE = 1.5  # times the least loss: it diverges
BELOW = 2.0


class NoRate(InvalidInput):
    """At the lowest rate it diverges already."""


@dataclass(frozen=True, slots=True)
class RangeTest:
    """``rates`` and ``losses`` [n]: of the same samples behind the updates at each; ``start``: their loss before;
    ``diverged``: the rate at which it fell apart, None where it did at none; ``rate``: to learn with."""

    rates: npt.NDArray[np.float64]
    losses: npt.NDArray[np.float64]
    start: float
    diverged: float | None
    rate: float

    def __str__(self) -> str:
        seen = "nothing diverged" if self.diverged is None else f"it diverges at {self.diverged:.2g}"
        return f"rate {self.rate:.2g}: {seen}"


def range_test(
    session: Session, lesson: Lesson, *, lowest: float = 1e-5, highest: float = 3.0, rates: int = RATES, parts: int = 0
) -> RangeTest:
    """Four updates at each of ``rates`` rates that rise geometrically; then the session is bit for bit what it was.

    lesson: ``lesson(n)`` draws n samples, labelled where the loss has a target. The loss is that of 32 which are drawn
    once, before and behind each rate's updates: of those that steps learn from some are harder than others, and in
    batches of a few nothing else would be seen. It diverges where that loss is half as large again as it has been, or
    no number. The ``rate`` is half of that one: momentum needs a few steps to show it; where none diverges, it is the
    one behind which the loss was least. parts: micro-batches of an update, of a plan that accumulates; 0: all. RAM: a
    copy of what learns, and the 32 samples.

    Raises ``InvalidInput`` for settings that cannot be, and where it diverges at once: then no rate is found.
    """
    parts = parts or session.manifest.accumulate
    require_parts(session, parts)
    if not (0 < lowest < highest < math.inf):
        raise InvalidInput("lowest, highest", (lowest, highest), "give two rates above 0, the lower one first")
    if not isinstance(rates, int) or isinstance(rates, bool) or rates < 5:
        raise InvalidInput("rates", rates, "give 5 or more")
    batch = session.manifest.batch
    probe = [lesson(batch) for _ in range(math.ceil(PROBE / batch))]
    before, place = session.snapshot(), session.steps
    start, tried = _loss(session, probe), np.geomspace(lowest, highest, rates)
    losses, least = list[float](), start
    try:
        for rate in tried:
            try:
                for _ in range(STEPS):
                    step(session, *lesson(parts * batch), float(rate), parts)
                losses.append(_loss(session, probe))
            except NotFinite:
                losses.append(math.inf)
            if losses[-1] > WORSE * least:
                break
            least = min(least, losses[-1])
    finally:
        session.restore(before, place)
    diverged = float(tried[len(losses) - 1]) if losses[-1] > WORSE * least else None
    found = float(tried[int(np.argmin(losses))]) if diverged is None else diverged / BELOW
    if found < lowest:
        raise NoRate("lowest", lowest, f"it diverges at {diverged:.2g}: give a lower one, or scale the input")
    return RangeTest(tried[: len(losses)], np.array(losses), start, diverged, found)


def _loss(session: Session, probe: list[tuple[npt.NDArray[np.generic], npt.NDArray[np.generic] | None]]) -> float:
    return float(np.mean([session.evaluate(x, y)[0] for x, y in probe]))
