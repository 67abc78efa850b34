"""How a learner goes: the rate, and the micro-batches of an update."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ...run.session import Session
from .gradient import readable
from .noise_scale import NoiseScale, noise_scale
from .range_test import PROBE, RATES, STEPS, NoRate, RangeTest, range_test
from .step import Lesson

FORWARDS = 3  # predictions that an update of one sample costs
BATCHES = 16  # of which the noise scale is estimated


@dataclass(frozen=True, slots=True)
class Pace:
    """``rate``: to learn with; ``parts``: micro-batches of an update; and what they were found from."""

    rate: float
    parts: int
    test: RangeTest
    scale: NoiseScale | None = None

    def __str__(self) -> str:
        return f"{self.test}" if self.scale is None else f"{self.test}; {self.scale}: {self.parts} micro-batches"


def auto_rate(session: Session, lesson: Lesson, *, batches: int = BATCHES) -> Pace:
    """Rate, and batch where the plan accumulates, found on the device; the session is bit for bit what it was.

    Of a plan that accumulates the noise scale of ``batches`` gradients says first how many of its micro-batches make an
    update: as many as the scale has samples, at least 1 and at most the plan's - where twice the samples would save
    less than half of the steps (McCandlish et al., sec. 2.3). Then :func:`range_test` finds the rate for an update of
    that size. Raises as the first, and ``InvalidInput`` where at every rate that is tried it diverges.
    """
    scale, parts = None, 1
    if session.manifest.accumulate > 1:
        scale = noise_scale(session, lesson, batches=batches)
        parts = int(np.clip(np.ceil(min(scale.scale, 1e6) / session.manifest.batch), 1, session.manifest.accumulate))
    try:
        test = range_test(session, lesson, parts=parts)
    except NoRate as error:
        fix = f"{error.fix.partition(':')[0]}, so that none is found: give a number, or scale the input"
        raise InvalidInput("rate", "auto", fix) from None
    return Pace(test.rate, parts, test, scale)


def cost(session: Session) -> int:
    """Updates of the plan's whole batch that :func:`auto_rate` takes the time of, at most."""
    parts, batch = session.manifest.accumulate, session.manifest.batch
    asked = (RATES + 1) * math.ceil(PROBE / batch) / FORWARDS
    return math.ceil(RATES * STEPS + (asked + (BATCHES if parts > 1 else 0)) / parts)


def room(session: Session, sample: int) -> int:
    """Bytes that :func:`auto_rate` holds beside the copy of what learns that it goes back to, of samples of ``sample``
    bytes: first, of a plan that accumulates, another copy and two gradients in float64; then the probe, with labels."""
    manifest = session.manifest
    learns = [e for e in manifest.state.values() if e.region == "state"]
    probe = math.ceil(PROBE / manifest.batch) * manifest.batch * (sample + np.dtype(np.int32).itemsize)
    if manifest.accumulate == 1:
        return probe
    numbers = sum(math.prod(manifest.state[name].shape) for name in readable(session))
    return max(probe, sum(entry.bytes for entry in learns) + 2 * np.dtype(np.float64).itemsize * numbers)


class Found:
    """The pace that a learner has found, if it has: 0 until then. ``bytes`` bytes, and ``room`` while it is sought."""

    def __init__(self, most: int, room: int = 0) -> None:
        self._most, self.room = most, room
        self._numbers = np.zeros(2, np.float64)

    @property
    def there(self) -> bool:
        return bool(self._numbers[0])

    @property
    def rate(self) -> float:
        return float(self._numbers[0])

    @property
    def parts(self) -> int:
        return int(self._numbers[1])

    def put(self, rate: float, parts: int) -> None:
        self._numbers[:] = rate, parts

    @property
    def bytes(self) -> int:
        return self._numbers.nbytes

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        return {"numbers": self._numbers.copy()}

    def load_state_dict(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Raises ``InvalidInput``, and changes nothing, for anything but what :meth:`state_dict` gives."""
        given = state.get("numbers")
        sound = given is not None and given.shape == (2,) and bool(np.isfinite(given).all())
        rate, parts = (0.0, 0.0) if given is None or not sound else map(float, given)
        if not sound or given is None or rate < 0 or parts not in range(self._most + 1) or (rate > 0) != (parts > 0):
            raise InvalidInput("pace", f"of names {sorted(state)}", "give what state_dict() gave")
        self._numbers[:] = given
