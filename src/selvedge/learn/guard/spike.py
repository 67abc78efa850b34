"""A loss that leaps: what is learnt from is suddenly far worse than what one has without learning."""

from __future__ import annotations

import math
from array import array
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput

LARGEST = 1e30  # loss that is counted
WINDOW = 8  # losses: one batch of hard samples is no leap


class Spike:
    """The mean of the last 8 losses against a usual one.

    The usual loss is handed in: what the predicting weights have on samples of the day, and what guessing has. So a
    change of the world, under which every loss rises, is none, and a candidate that falls apart is one.
    """

    def __init__(self, times: float = 3.0) -> None:
        """times: of the usual loss. Raises ``InvalidInput`` unless it is above 1."""
        if not (math.isfinite(times) and times > 1):
            raise InvalidInput("times", times, "give a number above 1")
        self.times = times
        self._ring, self._seen = array("f", bytes(4 * WINDOW)), 0  # float32, without a call of numpy

    def update(self, loss: float, usual: float) -> bool:
        """Whether the losses have leapt with this one; what is not finite always has."""
        if not math.isfinite(loss):
            return True
        seen, most = self._seen, self.times * usual
        self._ring[seen % WINDOW] = loss if loss < LARGEST else LARGEST
        self._seen = seen + 1 if seen < WINDOW else (seen + 1) % WINDOW + WINDOW
        if seen + 1 < WINDOW or max(self._ring) <= most:  # then so is the mean, which takes far longer
            return False
        return float(np.add.reduce(np.frombuffer(self._ring, np.float32))) / WINDOW > most

    def restart(self) -> None:
        """As new: for another candidate."""
        self._seen = 0

    @property
    def bytes(self) -> int:
        return 4 * WINDOW + 4

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        return {"ring": np.array(self._ring, np.float32), "seen": np.array([self._seen], np.uint32)}

    def load_state_dict(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Raises ``InvalidInput``, and changes nothing, for anything but what :meth:`state_dict` gives."""
        mine = self.state_dict()
        if state.keys() != mine.keys() or any(
            state[n].shape != a.shape or state[n].dtype != a.dtype for n, a in mine.items()
        ):
            raise InvalidInput("spike", f"of names {sorted(state)}", "give what state_dict() gave")
        self._ring, self._seen = array("f", state["ring"].tobytes()), int(state["seen"][0])
