"""Whether one model is better than another, looked at after every sample: testing by betting."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput

STAKES = np.array([0.1, 0.3, 0.6, 0.95])  # shares of the wealth that are bet
MANY = math.log(len(STAKES))
PURSE = np.log([0.1, 0.2, 0.3, 0.4])  # what each begins with: few samples should be enough for much that is better


class Evidence:
    """Bets on "the candidate is better", a sample each, at several stakes at once.

    A gain d in [-1, 1] multiplies the wealth of stake s by 1 + s d. If the mean of d, whatever went before, is never
    above 0, their sum is a supermartingale that begins at 1: the chance that it ever reaches 1 / alpha is at
    most alpha (Ville 1939), however often it is looked at (Waudby-Smith & Ramdas, *Estimating means of bounded random
    variables by betting*, 2023; Shafer 2021).

    Its state is 4 float64 logarithms: ``bytes`` bytes.
    """

    def __init__(self) -> None:
        self._log = PURSE.copy()

    def update(self, gain: float) -> None:
        """One sample: what the candidate has over the other, -1..1; for classes 1 (it alone is right), 0 or -1."""
        self.updates(np.array([gain], np.float64))

    def updates(self, gains: npt.NDArray[np.float64]) -> None:
        """Samples [n], one after the other. Raises ``InvalidInput``, and changes nothing, for one out of -1..1."""
        for gain in gains.tolist():
            if not -1 <= gain <= 1:
                raise InvalidInput("gain", gain, "give a number in -1..1")
        won = np.log1p(STAKES * gains[:, None])
        self._log[:] = np.add.accumulate(np.concatenate([self._log[None], won]))[-1]

    @property
    def _most(self) -> float:
        """The largest of the logarithms: that of the sum lies between it and :data:`MANY` more."""
        return float(max(self._log.tolist()))

    @property
    def log(self) -> float:
        """The logarithm of the wealth: what 1 has become."""
        top = self._most
        return top + math.log(float(np.add.reduce(np.exp(self._log - top))))

    def shows(self, alpha: float) -> bool:
        """Whether "no better" is refused with an error of at most ``alpha``."""
        asked = -math.log(alpha)
        return self._most + MANY >= asked and self.log >= asked

    def below(self, wealth: float) -> bool:
        """Whether less than ``wealth`` is left of 1."""
        asked = math.log(wealth)
        return self._most < asked and self.log < asked

    def restart(self) -> None:
        """As new: for another candidate."""
        self._log[:] = PURSE

    @property
    def bytes(self) -> int:
        return self._log.nbytes

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        return {"log": self._log.copy()}

    def load_state_dict(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Raises ``InvalidInput``, and changes nothing, for anything but what :meth:`state_dict` gives."""
        log = state.get("log")
        if set(state) != {"log"} or log is None or log.shape != PURSE.shape or not np.isfinite(log).all():
            raise InvalidInput("evidence", f"of names {sorted(state)}", "give what state_dict() gave")
        self._log[:] = log
