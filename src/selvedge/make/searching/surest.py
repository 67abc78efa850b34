"""Which of those that can hardly be told apart by their accuracy is taken: the one whose answers are the surest."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Protocol, TypeVar


class Judged(Protocol):
    """``learnt``: accuracy behind learning; ``brier``: the score of the same answers, less is better; ``train_bytes``:
    of RAM."""

    @property
    def learnt(self) -> float: ...

    @property
    def brier(self) -> float: ...

    @property
    def train_bytes(self) -> int: ...


One = TypeVar("One", bound=Judged)


def surest(found: Sequence[One], tests: int) -> One:
    """Of those whose accuracy on ``tests`` samples is within two standard errors of the best one, that of the least
    Brier score (Brier, Monthly Weather Review 78, 1950), which goes on telling networks apart where all answers are
    right; of equals the one that trains in least."""
    most = max(one.learnt for one in found)
    band = most - 2 * deviation(most, tests)
    return min((one for one in found if one.learnt >= band), key=lambda one: (one.brier, one.train_bytes))


def deviation(accuracy: float, tests: int) -> float:
    """The standard error of an accuracy on ``tests`` samples."""
    right = min(accuracy, 1 - 1 / (2 * tests))  # all being right is no proof that it is never wrong
    return sqrt(right * (1 - right) / tests)
