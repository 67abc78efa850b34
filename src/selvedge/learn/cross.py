"""Whether learning from a few samples is better on those that it leaves out, each in its turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from .draws import Draws
from .examiner import Examiner
from .guard.flips import p_value
from .guard.verdict import gains

Array = npt.NDArray[Any]
Ask = Literal["better", "no worse"]


@dataclass(frozen=True, slots=True)
class Crossed:
    """``gain``: what learning the others brought a left-out sample, in halves of the Brier score (of losses: over their
    sum); ``p``: the chance of such a gain without one; ``good``: whether it is what was asked for."""

    gain: float
    p: float
    good: bool

    def __str__(self) -> str:
        return f"{self.gain:+.3f} on samples that were left out (p = {self.p:.2g})"


def require(folds: int, count: int, ask: str) -> None:
    """Raises ``InvalidInput`` unless each of ``folds`` parts of ``count`` samples has two or more."""
    if ask not in ("better", "no worse"):
        raise InvalidInput("ask", ask, "give better or no worse")
    if not isinstance(folds, int) or folds < 2 or count < 2 * folds:
        raise InvalidInput("folds", folds, f"{count} samples are remembered: give 2 to {count // 2}")


def updates(steps: int, count: int, folds: int, fold: int) -> int:
    """How many of ``steps`` are made without one part: as many for each sample as of all."""
    return max(1, steps * (count - len(range(fold, count, folds))) // count)


def crossed(
    examiner: Examiner,
    x: Array,
    y: Array,
    folds: int,
    order: Array,
    learn: Callable[[int, Array], bool],
    ask: Ask,
    error: float,
    draws: Draws,
) -> Crossed | None:
    """``folds`` times ``learn(fold, rows)`` makes the session learn the samples of ``rows``, from what it was, and says
    whether it held together; then the others are asked. None where it did not.

    The outputs before and after are compared each at their own best temperature, and the gains tested by flipping their
    signs. Of each part that is a fair test; that the parts are learnt from in turn makes the whole only nearly one, as
    with any cross-validation. ask: "better": more surely than ``error``; "no worse": or on the mean, of labels that
    a person gave. Raises ``NotFinite`` where an output is not.
    """
    target = examiner.target(x, y)
    before = examiner.outputs(x)
    after, part = np.array(before), order % folds
    for fold in range(folds):
        own = part == fold
        if not learn(fold, np.flatnonzero(~own)):
            return None
        after[own] = examiner.outputs(x[own])
    found = gains(examiner.kind, examiner.knows_at_best(after, target), examiner.knows_at_best(before, target))
    gain, p = float(found.mean()), p_value(found, error, draws)
    return Crossed(gain, p, p <= error or (ask == "no worse" and gain > 0))
