"""How a learner has done, sample by sample, in so many bytes: over the last ones, and over its whole life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput

Array = npt.NDArray[Any]
LATEST = 200  # samples that "lately" is
LARGEST = 1e36  # that is drawn
POINTS = 128  # of a life


@dataclass(frozen=True, slots=True)
class Point:
    """After ``seen`` samples: ``merit``, the mean until then; ``lately``, that of the last 200; ``loss``, lately."""

    seen: int
    merit: float
    lately: float
    loss: float


class Course:
    """``rounds``: samples, merit and loss of each of the last rounds that make up 200 samples. ``life``: a point every
    so many rounds, twice as many when they no longer fit."""

    def __init__(self) -> None:
        self._rounds = np.zeros((LATEST, 3), np.float32)
        self._life = np.zeros((POINTS, 4))
        self._counts = np.zeros(4, np.int64)  # rounds; points; rounds a point; the place in the ring

    @property
    def bytes(self) -> int:
        return self._rounds.nbytes + self._life.nbytes + self._counts.nbytes

    def enter(self, samples: int, merit: float, loss: float, seen: int, total: float) -> Point:
        """A round of ``samples``, with the sums of their ``merit`` and ``loss``; until now ``seen`` and ``total``."""
        counts = self._counts
        self._rounds[counts[3]] = np.clip((samples, merit, loss), -LARGEST, LARGEST)
        counts[3] = (counts[3] + 1) % LATEST
        counts[0] += 1
        point = self._point(seen, total)
        counts[2] = max(1, counts[2])
        if counts[0] % counts[2] == 0:
            if counts[1] == POINTS:
                self._life[: POINTS // 2] = self._life[1::2]
                counts[1], counts[2] = POINTS // 2, counts[2] * 2
            if counts[0] % counts[2] == 0:
                self._life[counts[1]] = point.seen, point.merit, point.lately, point.loss
                counts[1] += 1
        return point

    def _point(self, seen: int, total: float) -> Point:
        rows = np.roll(self._rounds, -int(self._counts[3]), 0)[::-1]  # the newest first
        rows = rows.astype(np.float64)
        before = np.cumsum(rows[:, 0]) - rows[:, 0]
        rows = rows[(before < LATEST) & (rows[:, 0] > 0)]
        many = rows[:, 0].sum()
        return Point(seen, total / seen, float(rows[:, 1].sum() / many), float(rows[:, 2].sum() / many))

    @property
    def life(self) -> tuple[Point, ...]:
        """At most 128 of them."""
        return tuple(Point(int(row[0]), *map(float, row[1:])) for row in self._life[: self._counts[1]])

    def state_dict(self) -> dict[str, Array]:
        return {"rounds": self._rounds.copy(), "life": self._life.copy(), "counts": self._counts.copy()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Raises ``InvalidInput``, and changes nothing, for anything but what :meth:`state_dict` gives."""
        mine = self.state_dict()
        if state.keys() != mine.keys() or any(
            state[n].shape != a.shape or state[n].dtype != a.dtype for n, a in mine.items()
        ):
            raise InvalidInput("course", f"of names {sorted(state)}", "give what state_dict() gave")
        self._rounds, self._life, self._counts = (state[n].copy() for n in ("rounds", "life", "counts"))
