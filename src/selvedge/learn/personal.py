"""A few samples of one person, learnt at once where learning helps on those that are left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..artifact.schedule import Cosine
from ..errors import InvalidInput
from ..run.ports import NotFinite
from ..run.session import Session
from .augment.piece import Piece
from .copies import Copy
from .cross import Ask, crossed, require, updates
from .draws import Draws
from .examiner import Examiner
from .guard.anchor import Anchor, Loss, lost
from .guard.spike import Spike
from .guard.verdict import gains
from .habits import Rate, require_rate
from .lesson import Lessons, Memory
from .rate.pace import Pace, auto_rate
from .rate.step import step

Array = npt.NDArray[Any]
WARM = 20  # one update in so many is one of the warm-up
HALVINGS = 2  # of the rate, where the loss leapt
LEAPT = "the loss leapt: lower the rate"


@dataclass(frozen=True, slots=True)
class Personalised:
    """``learnt``: whether the session has now learnt the samples; else it is bit for bit what it was.

    why: a line. gain, p: of what was left out (:class:`Crossed`). lost: of the merit on the anchor. steps: updates made
    in all, those that leapt too. pace: the rate that was found, where it was asked for. halved: how often the rate was.
    """

    learnt: bool
    why: str
    gain: float
    p: float
    lost: Loss | None
    steps: int
    pace: Pace | None = None
    halved: int = 0


def personalise(
    session: Session,
    memory: Memory,
    *,
    steps: int,
    rate: Rate = None,
    anchor: Anchor | None = None,
    share: float = 0.3,
    augment: Piece | None = None,
    folds: int = 5,
    ask: Ask = "no worse",
    error: float = 0.05,
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Personalised:
    """Learn what is in ``memory``, classes or reconstruction, in ``steps`` updates; or do not.

    First ``folds`` times all but a part of it is learnt, from the same weights, and that part judged. Where that is
    better - as ``ask`` says: more surely than ``error``, or on the mean, of labels that a person gave - all of it is
    learnt. Where the anchor then has lost more than its margin, that is taken back. Nothing is copied meanwhile: the
    weights to go back to are those that the session began with, in flash, so that it needs no RAM but the arena, the
    memory and a few bytes; it must not have learnt before. rate: the largest, of a warm-up and a cosine; None: as the
    plan's schedule begins; "auto": found by :func:`auto_rate`, of all samples. Where the loss leaps, everything begins
    again at half of it, twice at most. share: of a batch, from the anchor.

    Raises ``InvalidInput`` for a session that has learnt, fewer than two samples a fold, and settings that cannot be.
    """
    examiner, draws = Examiner(session), Draws(seed)
    if session.steps != session.manifest.steps:
        raise InvalidInput("session", f"after {session.steps} steps", "give one that has not learnt yet")
    if not isinstance(steps, int) or steps < 1:
        raise InvalidInput("steps", steps, "give a whole number >= 1")
    require_rate(rate)
    x, y = memory.all()
    require(folds, len(x), ask)
    lessons = Lessons((1 - share, 0.0, share), memory, anchor, augment, draws, session.manifest.preprocess)
    attempt = _Attempt(examiner, lessons, x, y, steps, folds, rate, on_progress)
    try:
        while True:
            made = _made(attempt, folds, anchor, ask, error, draws)
            if made.why != LEAPT or attempt.halved == HALVINGS:
                return made
            attempt.halve()
    except BaseException:  # Ctrl-C too
        attempt.back()
        raise


def _made(attempt: _Attempt, folds: int, anchor: Anchor | None, ask: Ask, error: float, draws: Draws) -> Personalised:
    """All of it, at one rate."""
    examiner, x = attempt.examiner, attempt.x

    def made(learnt: bool, why: str, gain: float = 0.0, p: float = 1.0, loss: Loss | None = None) -> Personalised:
        return Personalised(learnt, why, gain, p, loss, attempt.done, attempt.pace, attempt.halved)

    try:
        found = crossed(examiner, x, attempt.y, folds, attempt.lessons.order(len(x)), attempt.fold, ask, error, draws)
        attempt.back()
        if found is None:
            return made(False, LEAPT)
        if not found.good:
            return made(False, f"not better: {found}", found.gain, found.p)
        before = None if anchor is None else examiner.merit(*anchor.judges)
        why, loss = "", None
        if not attempt.learn(attempt.steps, np.arange(len(x))):
            why = LEAPT
        elif anchor is not None and before is not None:
            loss = lost(gains(examiner.kind, examiner.merit(*anchor.judges), before), error)
            if loss.upper > anchor.margin:
                seen = f"up to {loss.upper:.1%} may be lost on the anchor (seen: {loss.mean:+.1%})"
                why = f"{seen}: {anchor.margin:.1%} is allowed"
        if why:
            attempt.back()
        return made(not why, why or f"better: {found}", found.gain, found.p, loss)
    except NotFinite:
        attempt.back()
        return made(False, LEAPT)


class _Attempt:
    """Learning from the samples, as often as it is asked for, from where the session began."""

    def __init__(
        self, examiner: Examiner, lessons: Lessons, x: Array, y: Array, steps: int, folds: int, rate: Rate,
        on_progress: Callable[[int, int], None],
    ) -> None:  # fmt: skip
        self.examiner, self.lessons, self.x, self.y = examiner, lessons, x, y
        session = examiner.session
        self.steps, self.folds, self.done, self._on_progress = steps, folds, 0, on_progress
        self.total = self._each = steps + sum(updates(steps, len(x), folds, fold) for fold in range(folds))
        self.halved = 0
        self._began = Copy.of(session)  # what lies in flash anyhow
        self.pace, self._parts = None, session.manifest.accumulate
        if rate == "auto":
            self.pace = auto_rate(session, lambda n: self._batch(n, np.arange(len(x))))
            self._rate, self._parts = self.pace.rate, self.pace.parts
        else:
            self._rate = session.manifest.schedule.lr(session.steps) if rate is None else float(rate)
        self._usual = examiner.usual(examiner.outputs(x), examiner.target(x, y))

    def _batch(self, size: int, rows: Array) -> tuple[Array, Array | None]:
        x, y = self.lessons.batch(size, self.x[rows], self.y[rows], False)
        return x, y if self.examiner.labelled else None

    def back(self) -> None:
        self._began.into(self.examiner.session)

    def halve(self) -> None:
        """The rate, for all of it once more."""
        self._rate, self.halved, self.total = self._rate / 2, self.halved + 1, self.done + self._each

    def fold(self, fold: int, rows: Array) -> bool:
        self.back()
        return self.learn(updates(self.steps, len(self.x), self.folds, fold), rows)

    def learn(self, count: int, rows: Array) -> bool:
        """``count`` updates of ``rows``; whether it held together."""
        session, spike = self.examiner.session, Spike()
        rates = Cosine(self._rate, count, warmup=count // WARM)
        for i in range(count):
            x, y = self._batch(self._parts * session.manifest.batch, rows)
            try:
                loss = step(session, x, y, rates.lr(i), self._parts)
            except NotFinite:
                return False
            self.done += 1
            self._on_progress(self.done, self.total)
            if spike.update(loss, self._usual):
                return False
        return True
