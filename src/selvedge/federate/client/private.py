"""What a device does for its owner before a change leaves: counts it, cuts it, adds noise where that is its part."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import InvalidInput
from ..codec.codec import Vector
from ..privacy.clip import clipped
from ..privacy.gaussian_sum import Lattice
from ..privacy.ledger import Ledger, Spent
from ..privacy.randomness import Keystream
from ..privacy.settings import Privacy
from .trainer import CannotTrain, Trained, Trainer


class Private:
    """``trainer``, whose change has a norm of ``privacy.clip`` at most, and noise where ``privacy.where`` is local.
    Neither how many samples there are nor the loss is told.

    A task is in ``ledger`` before it is learnt, without any gain by lots, which the device does not see; where the
    budget is spent, it is refused. The same task of the same model has the same answer.
    """

    def __init__(self, trainer: Trainer, privacy: Privacy, ledger: Ledger) -> None:
        if privacy.unit != "device":
            raise InvalidInput("privacy unit", privacy.unit, "that is clipped where steps are made: PerExample")
        self.layout = trainer.layout
        self._trainer, self._privacy, self._ledger = trainer, privacy, ledger
        self._lattice = Lattice(privacy.clip, privacy.noise)

    def train(
        self, start: Vector, local: dict[str, Any], task: int, control: Vector | None, own: Vector | None
    ) -> Trained:
        if control is not None:
            raise CannotTrain("a control variate would tell a second time: no SCAFFOLD with privacy")
        secret = counted(self._ledger, self._privacy, start, local, task)
        found = self._trainer.train(start, local, task, None, None)
        change = found.vector - start
        if not np.isfinite(change).all():
            raise CannotTrain("what was learnt is no finite number")
        if self._privacy.where == "local":
            steps = self._lattice.of(change)
            change = self._lattice.released(steps, Keystream(secret)).astype(np.float32)
        else:
            change = clipped(change, self._privacy.clip)[0]
        return replace(found, vector=start + change, weight=1, loss=0.0)


def counted(
    ledger: Ledger, privacy: Privacy, start: Vector, local: dict[str, Any], task: int, steps: int = 1,
    rate: float = 1.0,
) -> bytes:  # fmt: skip
    """The secret of a task's noise, once the ledger has it. Raises :class:`CannotTrain` where the budget is spent."""
    asked = hashlib.sha256(repr((task, sorted(local.items()), privacy, steps, rate)).encode())
    asked.update(start.tobytes())
    once = replace(privacy.release(), rate=rate)
    try:
        return ledger.spend(asked.hexdigest(), once, steps)
    except Spent as error:
        raise CannotTrain(str(error)) from None
