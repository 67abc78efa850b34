"""A class that it did not know, learnt from a few examples; and taken back to the bit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..run.ports import NotFinite
from .candidate import Candidate
from .copies import Copy
from .enrolment import Enrolment
from .guard.anchor import lost
from .guard.taken import most_taken
from .lesson import Memory
from .metrics import predictions
from .one_output import OneOutput
from .spare import Labels

Array = npt.NDArray[Any]
STEP = 1 / 16  # of a logit


class Enrolling:
    """Of one learner: its candidate's session, copies and anchor, its memory, and the table of its classes."""

    def __init__(self, candidate: Candidate, labels: Labels, memory: Memory) -> None:
        self._candidate, self._memory = candidate, memory
        self._session, self._copies = candidate.session, candidate.copies
        self.kept = Enrolment(labels, self._copies.began, memory)
        self.mark()

    def require(self, label: str, steps: int) -> None:
        """Raises as :meth:`Learner.enrol`, and nothing changes."""
        if not isinstance(steps, int) or steps < 1:
            raise InvalidInput("steps", steps, "give a whole number >= 1")
        OneOutput(self._session, self.kept.labels.spare(label), self._copies.deployed)  # what it cannot, it says

    def enrol(self, label: str, x: Array, steps: int) -> bool:
        """See :meth:`Learner.enrol`; ``x``: examples that it takes."""
        candidate, kept = self._candidate, self.kept
        kept.keep(self._copies.deployed, self._memory)
        number = kept.labels.enter(label)
        y = np.full(len(x), number, np.int32)
        for sample in x:
            self._memory.add(sample, number)
        self._copies.deployed.into(self._session)
        why = self._unknown(x, y, steps)
        told = f"{label}, of {len(x)} examples"
        if why:
            self._put(kept.taken_back(self._memory))
            candidate.diary.write(candidate.tally.seen, "refused", f"{told}: {why}")
            return False
        candidate.diary.write(candidate.tally.seen, "enrolled", f"{told}, as class {number}")
        return True

    def undo(self) -> None:
        """See :meth:`Learner.undo`."""
        self._put(self.kept.taken_back(self._memory))
        self._candidate.diary.write(self._candidate.tally.seen, "undone", "the last enrolment")

    def mark(self) -> None:
        """What was enrolled is not part of where it began: no blend goes back from it."""
        marks = OneOutput(self._session, 0, self._copies.deployed).nothing
        for number in self.kept.labels.enrolled:
            for name, where in OneOutput(self._session, number, self._copies.deployed).rows.items():
                marks[name] |= where
        self._copies.marks = marks

    def _put(self, copy: Copy) -> None:
        self._candidate.put(copy)
        self.mark()

    def _unknown(self, x: Array, y: Array, steps: int) -> str:
        """Learn a new class, and let it predict; or why not."""
        candidate, number = self._candidate, int(y[0])
        usual, lowered = candidate.examiner.usual(predictions(self._session, x), y), 0
        own = OneOutput(self._session, number, self._copies.deployed)
        try:
            for _ in range(steps):
                if not candidate.updated(1, x, y, usual):
                    return "it fell apart: lower the rate"
                own.hold()
            if candidate.lessons.anchor is not None:
                lowered = self._taken(number)
                own.lower(lowered * STEP)
            known = int((predictions(self._session, x).argmax(1) == number).sum())
            why = f"{known} of them are known" if 2 * known <= len(x) else self._lost()
        except NotFinite:
            return "its output is not finite"
        finally:
            candidate.judge.answers.tell(lowered)
        if not why:
            own.finish()
            self._put(Copy.of(self._session))
            candidate.tally.commits += 1
        return why

    def _lost(self) -> str:
        """Why the anchor speaks against what is in the arena, or nothing."""
        anchor, judge = self._candidate.lessons.anchor, self._candidate.judge
        if anchor is None:
            return ""
        try:
            return judge.taken_at_the_start(self._candidate.examiner.merit(*anchor.judges))
        except NotFinite:
            judge.answers.say("refused")
            raise

    def _taken(self, number: int) -> int:
        """By how many steps the logit of a new class must be lower to take no more of the anchor's judges than it may.

        The judges choose it, so it is told of them, and later looks are stricter for it. A look at it is not: the more
        a logit is lowered the less it takes, so that where the chosen step passes and has lost too much, the last step
        that loses too much, which no judge chose, would pass too."""
        anchor, nats = self._candidate.lessons.anchor, self._candidate.judge.nats_of_half
        assert anchor is not None
        x, y = anchor.judges
        logits = predictions(self._session, x)
        own = logits[:, number].copy()
        logits[:, number] = -np.inf
        leads = np.sort((own - logits.max(1))[logits.argmax(1) == y])[::-1]
        most = max(0, most_taken(len(x), nats, anchor.margin))
        while most < len(leads) and lost(np.where(np.arange(len(x)) <= most, -1.0, 0.0), nats).upper <= anchor.margin:
            most += 1
        return max(0, math.floor(float(leads[most]) / STEP) + 1) if most < len(leads) else 0
