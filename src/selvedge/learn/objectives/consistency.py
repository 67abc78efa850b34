"""To say the same of two views of a sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...errors import InvalidInput
from ...run.session import Session
from ..augment.piece import Piece
from ..draws import Draws
from ..guard.collapse import probabilities
from .objective import Array, mixed, require_mixed


@dataclass(frozen=True, slots=True)
class Consistency:
    """What is said of the sample as it came is learnt of an augmented view of it (Sohn et al., *FixMatch*, NeurIPS
    2020, eq. 4, in one batch): the target is a constant, no gradient goes through it.

    augment: of a batch, as :class:`selvedge.Learner` takes it. sure: the least probability of the likeliest class; else
    a sample counts for nothing. Raises ``InvalidInput`` for what is no share.
    """

    augment: Piece
    sure: float = 0.9

    def __post_init__(self) -> None:
        if not (math.isfinite(self.sure) and 0 <= self.sure < 1):
            raise InvalidInput("sure", self.sure, "give a probability below 1, as 0.9")

    def require(self, session: Session) -> None:
        require_mixed(session)

    def seen(self, session: Session, x: Array) -> Array:
        return x

    def lesson(self, session: Session, x: Array, outputs: Array, draws: Draws) -> tuple[Array, Array | None] | None:
        p = probabilities(outputs)
        certain = p.max(1) >= self.sure
        if not certain.any():
            return None
        wanted = np.eye(p.shape[1])[p.argmax(1)] * certain[:, None]
        return self.augment(x, draws), mixed(wanted, np.zeros(len(x)))
