"""How weather goes on: gradually, suddenly, or coming again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from ...errors import InvalidInput
from ..given import whole
from .camera import Camera


class Course(Protocol):
    """Which camera there is when so much of a stream is over, 0..1."""

    def at(self, share: float, /) -> Camera: ...


@dataclass(frozen=True, slots=True)
class Gradual:
    """From ``first`` to ``last``, a little with every picture."""

    first: Camera
    last: Camera

    def at(self, share: float) -> Camera:
        return self.first.nearing(self.last, share)


@dataclass(frozen=True, slots=True)
class Sudden:
    """Each of ``cameras`` until its successor comes, from one picture to the next; ``moments``: when those come.

    Raises ``InvalidInput`` unless there is a moment for every camera but the first, rising within 0..1."""

    cameras: Sequence[Camera]
    moments: Sequence[float]

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in pairwise((0.0, *self.moments, 1.0)))
        if not rising or len(self.moments) != len(self.cameras) - 1:
            wanted = (
                f"{max(0, len(self.cameras) - 1)} rising numbers between 0 and 1, one for each camera but the first"
            )
            raise InvalidInput("moments", list(self.moments), f"give {wanted}")

    def at(self, share: float) -> Camera:
        return self.cameras[sum(share >= moment for moment in self.moments)]


@dataclass(frozen=True, slots=True)
class Recurring:
    """``cameras`` in turn, ``times`` over. Raises ``InvalidInput`` for none of either, and a ``times`` that
    is not whole."""

    cameras: Sequence[Camera]
    times: int

    def __post_init__(self) -> None:
        if whole("times", self.times) < 1 or not self.cameras:
            raise InvalidInput("times", f"{self.times} x {len(self.cameras)} cameras", "give one or more of both")

    def at(self, share: float) -> Camera:
        turns = len(self.cameras) * self.times
        return self.cameras[min(int(share * turns), turns - 1) % len(self.cameras)]
