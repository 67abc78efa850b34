"""A loss that leaps: what is learnt from is suddenly far worse than what one has without learning."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput

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
        self._ring, self._seen = np.zeros(WINDOW, np.float32), np.zeros(1, np.uint32)

    def update(self, loss: float, usual: float) -> bool:
        """Whether the losses have leapt with this one; what is not finite always has."""
        if not math.isfinite(loss):
            return True
        seen = int(self._seen[0])
        self._ring[seen % WINDOW] = min(loss, 1e30)
        self._seen[0] = seen + 1 if seen < WINDOW else (seen + 1) % WINDOW + WINDOW
        if seen + 1 < WINDOW:
            return False
        mean = float(np.add.reduce(self._ring)) / WINDOW  # as mean() has it, in a tenth of the time
        return mean > self.times * usual

    def restart(self) -> None:
        """As new: for another candidate."""
        self._seen[0] = 0

    @property
    def bytes(self) -> int:
        return self._ring.nbytes + self._seen.nbytes

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        return {"ring": self._ring.copy(), "seen": self._seen.copy()}

    def load_state_dict(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Raises ``InvalidInput``, and changes nothing, for anything but what :meth:`state_dict` gives."""
        mine = {"ring": self._ring, "seen": self._seen}
        if state.keys() != mine.keys() or any(
            state[n].shape != a.shape or state[n].dtype != a.dtype for n, a in mine.items()
        ):
            raise InvalidInput("spike", f"of names {sorted(state)}", "give what state_dict() gave")
        for name, array in mine.items():
            array[...] = state[name]
