"""What learns on a device, as the protocol sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ..codec.codec import Vector
from ..layout import Layout


class CannotTrain(ValueError):
    """This task cannot be done here; ``str()`` says why in one line."""


@dataclass(frozen=True, slots=True)
class Trained:
    """``vector``: float32, in the layout. weight: samples. loss: the mean of the first epoch. control: the device's new
    control variate (SCAFFOLD), or None."""

    vector: Vector
    weight: int
    loss: float
    control: Vector | None = None


class Trainer(Protocol):
    layout: Layout

    def train(
        self, start: Vector, local: dict[str, Any], task: int, control: Vector | None, own: Vector | None
    ) -> Trained:
        """Learn from ``start`` as ``local`` says. control, own: the server's control variate and the device's, or None
        (zeros). Raises :class:`CannotTrain`."""
        ...
