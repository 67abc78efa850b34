"""What a session says of samples, and how good that is, by the loss that it was planned with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..run.ports import NotFinite
from ..run.session import Session
from .given import all_finite
from .guard import classes
from .guard.verdict import fairly, knowledge, merit
from .metrics import each_loss, predictions

Array = npt.NDArray[Any]


class Examiner:
    """``kind``: the loss's class name; ``labelled``: whether it takes a class; else a sample is its own target."""

    def __init__(self, session: Session) -> None:
        """Raises ``InvalidInput`` for another loss than cross entropy that has a target."""
        self.session, self.kind = session, str(session.manifest.loss)
        self.labelled = "y" in session.manifest.programs["evaluate"].inputs
        if self.labelled and self.kind != "CrossEntropy":
            raise InvalidInput("loss", self.kind, "plan cross_entropy, or reconstruction, which needs no labels")

    def outputs(self, x: Array) -> Array:
        """Of samples [n, ...]. Raises ``NotFinite`` where one is not: a session lets infinite ones pass."""
        found = predictions(self.session, x)
        if not all_finite(found):
            raise NotFinite(float("inf"), "predict")
        return found

    def target(self, x: Array, y: Array | None) -> Array:
        """What the outputs for ``x`` are measured against: ``y``, or what the model sees of ``x``."""
        if self.labelled and y is not None:
            return y
        preprocess = self.session.manifest.preprocess
        return preprocess(x) if preprocess is not None and x.dtype == np.uint8 else x

    def losses(self, outputs: Array, target: Array) -> Array:
        """[n], float64."""
        if classes.one_each(self.kind, outputs, target):
            return classes.losses(outputs, target)
        return each_loss(self.kind, outputs, target)

    def usual(self, outputs: Array, target: Array) -> float:
        """The loss that one has without learning: of these outputs, or of guessing a class, if that is more."""
        return self.usual_of(self.losses(outputs, target))

    def usual_of(self, losses: Array) -> float:
        """The same of their losses."""
        guess = math.log(self.session.manifest.classes) if self.labelled else 0.0
        return max(guess, float(np.add.reduce(losses)) / len(losses))  # as mean() has it, in a fifth of the time

    def worth(self, outputs: Array, target: Array) -> Array:
        """The merits [n] of outputs (:func:`merit`)."""
        return merit(self.kind, outputs, target)

    def knows(self, outputs: Array, target: Array) -> Array:
        """How well each output knows its target, [n] (:func:`knowledge`)."""
        return knowledge(self.kind, outputs, target)

    def knows_at_best(self, outputs: Array, target: Array) -> Array:
        """The same at these outputs' own best temperature (:func:`fairly`)."""
        return fairly(self.kind, outputs, target)

    def merit(self, x: Array, y: Array | None) -> Array:
        """The merits [n] of what the session says of ``x`` now."""
        return self.worth(predictions(self.session, x), self.target(x, y))
