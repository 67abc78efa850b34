"""Learning from a stream that has no labels, until that does harm."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ...run.calls import NotFinite
from ...run.session import Session
from ..copies import Copy
from ..draws import Draws
from ..guard.collapse import Collapse
from ..guard.spike import WINDOW, Spike
from .objective import Objective

Array = npt.NDArray[Any]
LEAP = 10.0  # times the first losses


class Unlabelled:
    """Predicts a batch and learns from it, by an objective; where it collapses, the session is again bit for bit what
    it was when it began, and learns no more.

    Without labels nobody can show that what was learnt is better: there is no commit. What is seen is that it falls
    apart - a prediction that is not finite, or all of them alike (:class:`Collapse`), for which the weights that it
    began with predict the same samples again: they lie in flash, and cost a third of a step. ``why``: it stopped; else
    "".

    >>> # own = Unlabelled(session, Entropy(), Collapse(10))
    >>> # own.learn(x)                    the outputs for x [batch, ...], before it was learnt from
    """

    def __init__(
        self, session: Session, objective: Objective, collapse: Collapse | None = None, *,
        rate: float | None = None, seed: int = 0,
    ) -> None:  # fmt: skip
        """collapse: None for an objective without classes; then a loss that leaps, to ten times the first eight's, is
        what takes it back. rate: None: the plan's schedule.

        Raises ``InvalidInput`` for a plan whose loss the objective does not know, one that accumulates, and one without
        the classes that ``collapse`` has.
        """
        objective.require(session)
        if session.manifest.accumulate > 1:
            raise InvalidInput("plan", f"of {session.manifest.accumulate} micro-batches", "plan with accumulate=1")
        shape = session.manifest.target_shape
        if collapse is not None and shape != (collapse.classes + 1,):
            raise InvalidInput("collapse", f"of {collapse.classes} classes", f"the plan's target is {shape}")
        self.session, self.objective, self.collapse, self.rate = session, objective, collapse, rate
        self.steps, self.why = 0, ""
        self._began, self._draws = Copy.of(session), Draws(seed)
        self._spike, self._usual = Spike(LEAP), 0.0  # the mean of the first losses

    def learn(self, x: npt.ArrayLike) -> Array:
        """The outputs for x [batch, ...], by the weights before they learn from it. Raises as ``session.predict``."""
        given = np.asarray(x)
        seen = self.objective.seen(self.session, given)
        if self.why:
            return np.asarray(self.session.predict(seen))
        try:
            outputs = np.asarray(self.session.predict(seen))
        except NotFinite:
            return self._back("a prediction is not finite", seen)
        if self.collapse is not None and self.collapse.update(outputs, self._at_first(seen)):
            own, other = self.collapse.in_use
            return self._back(f"{own:.1f} classes are left of {other:.1f}", seen)
        lesson = self.objective.lesson(self.session, given, outputs, self._draws)
        if lesson is not None:
            try:
                loss = self.session.step(*lesson, lr=self.rate)
            except NotFinite as error:
                self._back(f"its loss is {error.loss}", seen)
            else:
                self.steps += 1
                self._usual += (loss - self._usual) / self.steps if self.steps <= WINDOW else 0.0
                if self.collapse is None and self._spike.update(loss, self._usual):
                    self._back(f"its loss leapt to {loss:.3g}, from {self._usual:.3g}", seen)
        return outputs

    def _at_first(self, x: Array) -> Array:
        now = Copy.of(self.session)
        self._began.into(self.session)
        try:
            return np.asarray(self.session.predict(x))
        finally:
            now.into(self.session)

    def _back(self, why: str, x: Array) -> Array:
        self.why = why
        self._began.into(self.session)
        return np.asarray(self.session.predict(x))
