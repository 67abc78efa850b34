"""What an anomaly detector is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy.typing as npt


@runtime_checkable
class AnomalyDetector(Protocol):
    """Scores each value of a stream before it learns from it, in memory that never grows.

    The same calls give the same scores, bit for bit. A value that is missing (NaN, infinite) scores 0.
    """

    @property
    def bytes(self) -> int:
        """Of everything that it remembers, allocated once."""
        ...

    @property
    def threshold(self) -> float:
        """Scores from here on are worth an alarm."""
        ...

    def update(self, value: npt.ArrayLike, time: float | None = None) -> float:
        """The score of ``value``, 0..1: how odd it is beside all before it. ``time``: of the value, in any unit."""
        ...

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of everything remembered, by name."""
        ...

    def load_state_dict(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what :meth:`state_dict` returned."""
        ...
