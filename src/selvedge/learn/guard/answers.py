"""What the judges of an anchor have said in a life, and how sure the next look must be for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from .spending import spent

Answer = Literal["at once", "refused", "passed", "roomy"]
ANSWERS: tuple[Answer, ...] = ("at once", "refused", "passed", "roomy")


class Answers:
    """The error of a life, shared among all that might be asked in it.

    The same judges are asked again and again, of candidates that depend on what they said before: the k-th look is no
    look at fresh samples. But they tell nothing except one of a few answers - refused by the first of them, refused,
    passed, passed with room to spare. So, given all else (the world, what it does with each prediction, the draws), a
    look's candidate is one for each history of answers before it, fixed before the judges are drawn. Each history has
    a part of the error of its own: the k-th look's (:func:`spent`) times the probability that a sequential estimate
    gives the history, (count of the answer + 1/2) / (answers so far + half the kinds), which sums to 1 over all
    histories of a length (Krichevsky & Trofimov, *The performance of universal encoding*, 1981). By the union bound
    over looks and histories, a commit of a life has lost more than the margin with a chance of ``error`` at most. That
    few answers tell little is the argument of Blum & Hardt, *The Ladder*, 2015, too.

    What the judges tell beside the answers, as a number that they choose, is spent too: :meth:`tell`.
    """

    def __init__(self, error: float, first: bool) -> None:
        """first: whether some of the judges are asked before the others, and may refuse at once."""
        self.error, self._kinds = error, len(ANSWERS) if first else len(ANSWERS) - 1
        self._counts, self._told = np.zeros(len(ANSWERS), np.uint32), np.zeros(1, np.float64)

    @property
    def looks(self) -> int:
        """How many there were."""
        return int(self._counts.sum())

    @property
    def nats(self) -> float:
        """-log of the error of the next look."""
        return float(self._told[0]) - math.log(spent(self.error, self.looks + 1))

    def say(self, answer: Answer) -> None:
        """What the judges said of the next look; as far as anybody heard it, once."""
        number = ANSWERS.index(answer)
        self._told -= math.log((int(self._counts[number]) + 0.5) / (self.looks + self._kinds / 2))
        self._counts[number] += 1

    def tell(self, number: int) -> None:
        """A whole number from 0 that was chosen by the judges: 1 / ((number + 1) (number + 2)) of the error is left."""
        self._told += math.log((number + 1) * (number + 2))

    @property
    def bytes(self) -> int:
        return self._counts.nbytes + self._told.nbytes

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        return {"answers": self._counts.copy(), "told": self._told.copy()}

    def load_state_dict(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Raises ``InvalidInput``, and changes nothing, for anything but what :meth:`state_dict` gives."""
        counts, told = state.get("answers"), state.get("told")
        if counts is None or counts.shape != self._counts.shape or counts.dtype != self._counts.dtype:
            raise InvalidInput("answers", f"of names {sorted(state)}", "give what state_dict() gave")
        if told is None or told.shape != (1,) or not (np.isfinite(told).all() and told.min() >= 0):
            raise InvalidInput("answers told", None if told is None else told.tolist(), "give what state_dict() gave")
        self._counts[:], self._told[:] = counts, told
