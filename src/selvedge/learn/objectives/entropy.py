"""To be sure of what one says."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...errors import InvalidInput
from ...run.session import Session
from ..draws import Draws
from ..guard.collapse import entropies, probabilities
from .objective import Array, mixed, require_mixed


@dataclass(frozen=True, slots=True)
class Entropy:
    """The entropy of each prediction is lowered (Wang et al., *Tent*, ICLR 2021).

    most: of the entropy of guessing, above which a sample counts for nothing: what is unsure is as a rule wrong (Niu et
    al., *EATA*, ICML 2022, eq. 2 and 3: 0.4, and the others weighted by exp(most - entropy)); None: all count alike, as
    in Tent. Raises ``InvalidInput`` for what is no share.
    """

    most: float | None = 0.4

    def __post_init__(self) -> None:
        if self.most is not None and not (math.isfinite(self.most) and 0 < self.most <= 1):
            raise InvalidInput("most", self.most, "give a share of the entropy of guessing, as 0.4, or None")

    def require(self, session: Session) -> None:
        require_mixed(session)

    def seen(self, session: Session, x: Array) -> Array:
        return x

    def lesson(self, session: Session, x: Array, outputs: Array, draws: Draws) -> tuple[Array, Array | None] | None:
        weights = np.ones(len(x))
        if self.most is not None:
            bound = self.most * math.log(outputs.shape[1])
            found = entropies(probabilities(outputs))
            weights = np.where(found < bound, np.exp(bound - found), 0.0)
        return (x, mixed(np.zeros_like(outputs), weights)) if weights.any() else None
