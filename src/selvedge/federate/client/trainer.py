"""What learns on a device, as the protocol sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from ..codec.codec import Vector
from ..layout import Layout
from .store import Arrays


class CannotTrain(ValueError):
    """This task cannot be done here; ``str()`` says why in one line. That may tell of samples: in a masked round it
    does not leave the device, which adds nothing to the sum then and says so to its owner alone."""


class Withheld(CannotTrain):
    """Its owner does not let it, whatever its samples are, as where a budget is spent: that may be said."""


@dataclass(frozen=True, slots=True)
class Trained:
    """``vector``: float32, in the layout. weight: samples. loss: the mean of the first epoch. control: the device's new
    control variate (SCAFFOLD), or None. personal: layers that stay here, by name: they are stored in one write with the
    answer, so that a task which is begun again after a crash begins with the layers that it had."""

    vector: Vector
    weight: int
    loss: float
    control: Vector | None = None
    personal: Arrays = field(default_factory=dict)


class Trainer(Protocol):
    layout: Layout

    def train(
        self, start: Vector, local: dict[str, Any], task: int, control: Vector | None, own: Vector | None
    ) -> Trained:
        """Learn from ``start`` as ``local`` says. control, own: the server's control variate and the device's, or None
        (zeros). Raises :class:`CannotTrain`."""
        ...
