"""A device's part of the noise of a masked sum: agreed on, counted, and in its values before they are masked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..codec.codec import Vector
from ..codec.masked import IntVector
from ..codec.noised import Noised
from ..masking.terms import Terms
from ..masking.threshold import withstood
from ..privacy.gaussian_sum import Drawn
from ..privacy.ledger import Ledger
from ..privacy.noise import discrete_gaussian
from ..privacy.settings import Privacy
from .private import counted, learnt
from .trainer import CannotTrain, Trained, Trainer


@dataclass(frozen=True, slots=True)
class Noising:
    """privacy: what this device was promised, whatever the server says. ledger: its own. drawn: the noise, for a test
    of what was added."""

    privacy: Privacy
    ledger: Ledger
    drawn: Drawn = discrete_gaussian

    def agreed(self, text: str, elements: int, terms: Terms) -> Noised:
        """What the terms of a round say of noise. Raises :class:`CannotTrain`, or ``Malformed``, where that is less, or
        of fewer members, than this device was promised; it depends on no sample."""
        up, p = Noised.of(text, elements), self.privacy
        honest = terms.threshold - p.colluders
        if withstood(len(terms.cohort), terms.threshold) < p.colluders:
            said = f"a threshold of {terms.threshold} of {len(terms.cohort)} members"
            raise CannotTrain(f"{said}, which {p.colluders} that help the server get past")
        if (up.clip, up.noise) != (p.clip, p.noise) or not 1 <= up.honest <= honest:
            mine = f"clip {p.clip:g}, noise {p.noise:g}, of {honest} members at the most"
            theirs = f"clip {up.clip:g}, noise {up.noise:g}, of {up.honest}"
            raise CannotTrain(f"a masked round with noise of {theirs}, where this device has agreed to {mine}")
        return up

    def values(
        self, up: Noised, trainer: Trainer, start: Vector, local: dict[str, Any], task: int, log: Callable[[str], None]
    ) -> tuple[IntVector, Trained]:
        """(what is masked, what was learnt): counted before it is learnt; where nothing can be learnt it is noise
        alone. Raises :class:`Withheld` where the budget is spent."""
        counted(self.ledger, up.release())
        found = learnt(trainer, start, local, task, log)
        return up.encode(found.vector - start, noise=self.drawn), found
