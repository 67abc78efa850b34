"""A class that it did not know, learnt from a few examples; and taken back to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..run.ports import NotFinite
from .candidate import Candidate
from .copies import Copy
from .enrolment import Enrolment
from .guard.anchor import lost
from .lesson import Memory
from .metrics import predictions
from .one_output import OneOutput
from .spare import Labels

Array = npt.NDArray[Any]


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
        usual = candidate.examiner.usual(predictions(self._session, x), y)
        own = OneOutput(self._session, number, self._copies.deployed)
        try:
            for _ in range(steps):
                if not candidate.updated(1, x, y, usual):
                    return "it fell apart: lower the rate"
                own.hold()
            if candidate.lessons.anchor is not None:
                own.lower(self._taken(number))
            known = int((predictions(self._session, x).argmax(1) == number).sum())
            why = f"{known} of them are known" if 2 * known <= len(x) else candidate.lost_at_the_start()[0]
        except NotFinite:
            return "its output is not finite"
        if not why:
            own.finish()
            self._put(Copy.of(self._session))
            candidate.tally.commits += 1
        return why

    def _taken(self, number: int) -> float:
        """By how much the logit of a new class must be lower to take no more of the anchor's judges than it may."""
        anchor, habits = self._candidate.lessons.anchor, self._candidate.habits
        assert anchor is not None
        x, y = anchor.judges
        logits = predictions(self._session, x)
        own = logits[:, number].copy()
        logits[:, number] = -np.inf
        leads = np.sort((own - logits.max(1))[logits.argmax(1) == y])[::-1]
        most, error = 0, habits.error / 10
        while most < len(leads) and lost(np.where(np.arange(len(x)) <= most, -1.0, 0.0), error).upper <= anchor.margin:
            most += 1
        return max(0.0, float(np.nextafter(leads[most], np.inf, dtype=leads.dtype))) if most < len(leads) else 0.0
