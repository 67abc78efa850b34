"""A gradient that leaps: a round moves the weights far more than rounds have done."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput

REMEMBERED = 0.9  # of the average of the logarithms, a round
FEWEST = 8  # rounds, before which nothing leaps


class NormGuard:
    """The 2-norm of a round's mean update, over the rate, against the geometric mean of those before.

    That is the norm of the mean gradient, times what a momentum makes of it; it is seen without one byte more, where
    the weights before a round are kept anyhow. It leaps before the loss does: a few samples of a size that the
    weights do not know move them once, and spoil what comes after. What leapt does not count as usual, unless nothing
    else comes: of :data:`FEWEST` leaps one after the other the world has changed, and the last is where it begins anew.
    """

    def __init__(self, times: float = 10.0) -> None:
        """times: of the usual norm. Raises ``InvalidInput`` unless it is above 1."""
        if not (math.isfinite(times) and times > 1):
            raise InvalidInput("times", times, "give a number above 1")
        self.times = times
        self._numbers = np.zeros(3, np.float64)  # the average logarithm, the rounds, and the leaps in turn

    @property
    def usual(self) -> float:
        """The geometric mean; 0 before the first round."""
        return math.exp(float(self._numbers[0])) if self._numbers[1] else 0.0

    def update(self, norm: float) -> bool:
        """Whether a round of this ``norm`` leaps; what is not finite always does, and 0 says nothing."""
        if not math.isfinite(norm):
            return True
        if norm <= 0:
            return False
        log, rounds, leaps = self._numbers
        if rounds >= FEWEST and norm > self.times * self.usual:
            self._numbers[:] = (log, rounds, leaps + 1) if leaps + 1 < FEWEST else (math.log(norm), 1, 0)
            return True
        keep = min(REMEMBERED, rounds / (rounds + 1))
        self._numbers[:] = keep * log + (1 - keep) * math.log(norm), rounds + 1, 0
        return False

    @property
    def bytes(self) -> int:
        return self._numbers.nbytes

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        return {"numbers": self._numbers.copy()}

    def load_state_dict(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Raises ``InvalidInput``, and changes nothing, for anything but what :meth:`state_dict` gives."""
        given = state.get("numbers")
        if set(state) != {"numbers"} or given is None or given.shape != (3,) or not np.isfinite(given).all():
            raise InvalidInput("norm guard", f"of names {sorted(state)}", "give what state_dict() gave")
        self._numbers[:] = given
