"""Whether a candidate may be committed: it is better on new samples, and has lost nothing where the model began."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from .anchor import Anchor, hopeless, lost
from .evidence import Evidence
from .spending import spent
from .verdict import gains

Array = npt.NDArray[Any]


@dataclass(slots=True)
class _Count:
    candidate: int = 1
    looks: int = 0
    refusals: int = 0
    credit: float = 0.0


class Judge:
    """Of one candidate after another. ``start``: the merits of the starting weights on the anchor's judges.

    ``credit``: predictions that may be made to judge: work of learning earns them, looks spend them. ``roomy``: whether
    the last look at the anchor found at most half of what may be lost.
    """

    def __init__(self, kind: str, anchor: Anchor | None, start: Array, alpha: float, error: float) -> None:
        self.kind, self.anchor, self.alpha, self.error = kind, anchor, alpha, error
        self.evidence = Evidence()
        self._start = start.astype(np.float32)
        self._count = _Count(credit=float(len(start)))
        self.roomy = True

    @property
    def bytes(self) -> int:
        return self.evidence.bytes + self._start.nbytes + 8 * len(fields(_Count))

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
        for gain in gains(self.kind, ours, theirs):
            self.evidence.update(float(gain))

    def lost_at_the_start(self, merits: Array) -> str:
        """Why the anchor's judges speak against the candidate, of whose ``merits`` on all of them, or on the first,
        these are; or nothing. Only to have asked all spends of the error: see :func:`hopeless`."""
        if self.anchor is None:
            return ""
        n, error = len(merits), spent(self.error, self._count.looks + 1)
        found = gains(self.kind, merits, self._start[:n])
        if n < len(self._start):
            if not hopeless(found, len(self._start), error, self.anchor.margin):
                return ""
        else:
            self._count.looks += 1
        bound = lost(found, error)
        self.roomy = bound.upper <= self.anchor.margin / 2
        if n == len(self._start) and bound.upper <= self.anchor.margin:
            return ""
        may = f"up to {bound.upper:.1%} may be lost on the anchor ({bound.mean:+.1%} on {n} samples)"
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
        """Of what was paid, those that were not made."""
        self._count.credit += predictions

    def pay(self, predictions: int) -> bool:
        """Whether there is credit for so many; then they are paid."""
        if self._count.credit < predictions:
            return False
        self._count.credit -= predictions
        return True

    def state_dict(self) -> dict[str, Array]:
        numbers = [getattr(self._count, f.name) for f in fields(_Count)]
        return {**self.evidence.state_dict(), "count": np.array(numbers, np.float64)}

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Raises ``InvalidInput``, and changes nothing, for anything but what :meth:`state_dict` gives."""
        count = state.get("count")
        if count is None or count.shape != (len(fields(_Count)),) or not np.isfinite(count).all():
            raise InvalidInput("judge", f"of names {sorted(state)}", "give what state_dict() gave")
        self.evidence.load_state_dict({n: a for n, a in state.items() if n != "count"})
        for f, value in zip(fields(_Count), count, strict=True):
            setattr(self._count, f.name, float(value) if f.name == "credit" else int(value))
