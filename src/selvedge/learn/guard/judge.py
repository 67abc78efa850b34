"""Whether a candidate may be committed: it is better on new samples, and has lost nothing where the model began."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from .anchor import Anchor, Loss, hopeless, lost
from .answers import Answers
from .evidence import Evidence
from .spending import spent
from .taken import most_taken
from .verdict import gains

Array = npt.NDArray[Any]


@dataclass(slots=True)
class _Count:
    candidate: int = 1
    refusals: int = 0
    credit: float = 0.0


class Judge:
    """Of one candidate after another. ``start``: the merits of the starting weights on the anchor's judges, of whom
    ``first`` are asked first.

    ``credit``: predictions that may be made to judge: work of learning earns them, looks spend them. ``roomy``: whether
    the last look at the anchor found at most half of what may be lost.
    """

    def __init__(self, kind: str, anchor: Anchor | None, start: Array, alpha: float, error: float, first: int) -> None:
        self.kind, self.anchor, self.alpha, self.first = kind, anchor, alpha, first
        self.answers = Answers(error, first < len(start))
        self.evidence = Evidence()
        self._start = start.astype(np.float32)
        self._count = _Count(credit=float(len(start)))
        self.roomy = True

    @property
    def bytes(self) -> int:
        return self.evidence.bytes + self.answers.bytes + self._start.nbytes + 8 * len(fields(_Count))

    @property
    def wealth(self) -> str:
        return f"{math.exp(self.evidence.log):.2g}"

    @property
    def better(self) -> bool:
        """Whether it is shown that the candidate is better on new samples."""
        return self.evidence.shows(self.allowed)

    @property
    def allowed(self) -> float:
        """The error that this candidate may be committed with."""
        return spent(self.alpha, self._count.candidate)

    def settle(self, ours: Array, theirs: Array) -> None:
        """What the candidate and what it is measured against know of samples that neither has learnt from."""
        self.evidence.updates(gains(self.kind, ours, theirs))

    def lost_at_the_start(self, merits: Array) -> str:
        """Why the anchor's judges speak against the candidate, of whose ``merits`` on all of them, or on the first,
        these are; or nothing. A look is over, and spent (:class:`Answers`), with a reason or when all were asked."""
        if self.anchor is None:
            return ""
        n, nats, margin = len(merits), self.answers.nats, self.anchor.margin
        found = gains(self.kind, merits, self._start[:n])
        if n < len(self._start) and not hopeless(found, len(self._start), nats, margin):
            return ""
        bound = lost(found, nats)
        self.roomy = bound.upper <= margin / 2
        if n == len(self._start) and bound.upper <= margin:
            self.answers.say("roomy" if self.roomy else "passed")
            return ""
        self.answers.say("at once" if n <= self.first < len(self._start) else "refused")
        return self._lost(bound, n)

    def taken_at_the_start(self, merits: Array) -> str:
        """The same of a candidate that a new class makes, which mostly takes and brings nothing: half of the look's
        error is for the bets, half for the count of those that were lost (:func:`most_taken`), whichever lets pass."""
        assert self.anchor is not None
        n, nats, margin = len(merits), self.nats_of_half, self.anchor.margin
        found = gains(self.kind, merits, self._start)
        bound = lost(found, nats)
        if bound.upper <= margin or int((found < 0).sum()) <= most_taken(n, nats, margin):
            self.answers.say("passed")
            return ""
        self.answers.say("refused")
        return self._lost(bound, n)

    @property
    def nats_of_half(self) -> float:
        """-log of half of the error of the next look."""
        return self.answers.nats + math.log(2)

    def _lost(self, bound: Loss, asked: int) -> str:
        assert self.anchor is not None
        may = f"up to {bound.upper:.1%} may be lost on the anchor ({bound.mean:+.1%} on {asked} samples)"
        return f"{may}: {self.anchor.margin:.1%} is allowed"

    def refused(self) -> int:
        """Count a refusal; how many there were in turn."""
        self._count.refusals += 1
        return self._count.refusals

    def again(self) -> None:
        """The same candidate, of which something else is to be judged."""
        self.evidence.restart()
        self._count.candidate += 1

    def next(self) -> None:
        """Another candidate, or another that it is measured against."""
        self.again()
        self._count.refusals = 0

    def earn(self, predictions: float, most: float) -> None:
        self._count.credit = min(self._count.credit + predictions, most)

    def refund(self, predictions: int) -> None:
        """Of what was paid, those that were not made, and of which the answer tells that they were not."""
        self._count.credit += predictions

    def pay(self, predictions: int) -> bool:
        """Whether there is credit for so many; then they are paid."""
        if self._count.credit < predictions:
            return False
        self._count.credit -= predictions
        return True

    def state_dict(self) -> dict[str, Array]:
        numbers = [getattr(self._count, f.name) for f in fields(_Count)]
        return {**self.evidence.state_dict(), **self.answers.state_dict(), "count": np.array(numbers, np.float64)}

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Raises ``InvalidInput``, and changes nothing, for anything but what :meth:`state_dict` gives."""
        count = state.get("count")
        if count is None or count.shape != (len(fields(_Count)),) or not np.isfinite(count).all():
            raise InvalidInput("judge", f"of names {sorted(state)}", "give what state_dict() gave")
        mine, others = self.answers.state_dict(), {n: a for n, a in state.items() if n != "count"}
        before = self.evidence.state_dict()
        self.evidence.load_state_dict({n: a for n, a in others.items() if n not in mine})
        try:
            self.answers.load_state_dict(others)
        except InvalidInput:
            self.evidence.load_state_dict(before)
            raise
        for f, value in zip(fields(_Count), count, strict=True):
            setattr(self._count, f.name, float(value) if f.name == "credit" else int(value))
