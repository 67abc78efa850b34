"""A device that works against the others: for trying rules that are to withstand it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..codec.codec import Vector
from .trainer import Trained, Trainer


class Liar:
    """What ``trainer`` learnt, turned around, times ``strength``."""

    def __init__(self, trainer: Trainer, strength: float = 1.0) -> None:
        self.layout, self._trainer, self._strength = trainer.layout, trainer, strength

    def train(
        self, start: Vector, local: dict[str, Any], task: int, control: Vector | None, own: Vector | None
    ) -> Trained:
        found = self._trainer.train(start, local, task, control, own)
        return replace(found, vector=(start - self._strength * (found.vector - start)).astype(start.dtype))
