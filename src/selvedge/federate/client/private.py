"""What a device does for its owner before a change leaves: counts it, cuts it, adds noise where that is its part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import InvalidInput
from ..codec.codec import Vector
from ..privacy.accountant import Release
from ..privacy.clip import clipped
from ..privacy.gaussian_sum import Drawn, Lattice
from ..privacy.ledger import Ledger, Spent
from ..privacy.noise import discrete_gaussian
from ..privacy.randomness import system
from ..privacy.settings import Privacy
from .trainer import CannotTrain, Trained, Trainer, Withheld


class Private:
    """``trainer``, whose change has a norm of ``privacy.clip`` at most, and noise where ``privacy.where`` is local.
    Neither how many samples there are nor the loss is told, nor whether they could be learnt from: where they cannot,
    there is no change, and the noise of it.

    A task is in ``ledger`` before it is learnt, without any gain by lots, which the device does not see; where the
    budget is spent, it is refused. The noise is the system's, and of each answer another.

    drawn: the noise, for an audit of what is without. log: told, on the device, of what could not be learnt, and why.
    """

    def __init__(
        self, trainer: Trainer, privacy: Privacy, ledger: Ledger, drawn: Drawn = discrete_gaussian,
        log: Callable[[str], None] = lambda line: None,
    ) -> None:  # fmt: skip
        if privacy.unit != "device":
            raise InvalidInput("privacy unit", privacy.unit, "that is clipped where steps are made: PerExample")
        if privacy.where == "distributed":
            raise InvalidInput("privacy where", privacy.where, "that is added where values are masked: Noising")
        self.layout = trainer.layout
        self._trainer, self._privacy, self._ledger = trainer, privacy, ledger
        self._lattice, self._drawn, self._log = Lattice(privacy.clip, privacy.noise), drawn, log

    def train(
        self, start: Vector, local: dict[str, Any], task: int, control: Vector | None, own: Vector | None
    ) -> Trained:
        if control is not None:
            raise CannotTrain("a control variate would tell a second time: no SCAFFOLD with privacy")
        counted(self._ledger, replace(self._privacy.release(), rate=1.0))
        found = learnt(self._trainer, start, local, task, self._log)
        change = found.vector - start
        if self._privacy.where == "local":
            steps = self._lattice.of(change)
            change = self._lattice.released(steps, system, self._drawn).astype(np.float32)
        else:
            change = clipped(change, self._privacy.clip)[0]
        return replace(found, vector=start + change, weight=1, loss=0.0)


def counted(ledger: Ledger, release: Release, count: int = 1) -> None:
    """Count what is about to be told. Raises :class:`Withheld` where the budget is spent, or where the account cannot
    be read: that goes to the server, and says no more; what is wrong is in :attr:`Ledger.broken`."""
    try:
        ledger.spend(release, count)
    except Spent as error:
        raise Withheld(str(error)) from None
    except InvalidInput:
        raise Withheld("the account of what it has told cannot be read") from None


def learnt(
    trainer: Trainer, start: Vector, local: dict[str, Any], task: int, log: Callable[[str], None]
) -> Trained:  # fmt: skip
    """What ``trainer`` has learnt, a finite change; where it cannot, no change. A refusal is an answer without noise,
    and whether there is one depends on the samples: on how many there are, or on whether one of them overflows."""
    try:
        found = trainer.train(start, local, task, None, None)
        with np.errstate(all="ignore"):
            if np.isfinite(found.vector - start).all():
                return found
        why = "what was learnt is no finite number"
    except Withheld:
        raise
    except (ValueError, TypeError, ArithmeticError, LookupError) as error:
        why = str(error)
    log(f"task {task} is answered as if nothing had been learnt: {why}")
    return Trained(start, 1, 0.0)
