"""A governor as a learner sees it: so many steps now, so many were made. What time it is, is handed in."""

from __future__ import annotations

from ...errors import InvalidInput
from .governor import Governor, Grant
from .senses import Moment


class Meter:
    """Between :meth:`at` and :meth:`settle` a learner may ask once for steps.

    The governor's one variant is the learner's plan. ``why``: what the last grant said. A ``state_dict()`` of the
    governor that is taken in between counts what was granted as done.
    """

    def __init__(self, governor: Governor) -> None:
        self.governor = governor
        self.why, self.granted = "", True
        self._moment: Moment | None = None
        self._grant: Grant | None = None
        self._done = 0

    def at(self, moment: Moment) -> None:
        self._moment, self._grant, self._done = moment, None, 0

    def grant(self, steps: int) -> int:
        """Raises ``InvalidInput`` for a governor of several plans: a learner has one."""
        self._grant = self.governor.grant(self._now, steps)
        if self._grant.variant is not None and len(self.governor.variants) > 1:
            raise InvalidInput("governor", f"of {len(self.governor.variants)} variants", "give that of this plan alone")
        self.why, self.granted = self._grant.why, self._grant.steps > 0
        return self._grant.steps

    def spend(self, *, steps: int = 0, predictions: int = 0) -> None:
        self._done += steps
        if predictions:
            self.governor.predicted(self._now, predictions)

    def settle(self) -> int:
        """What was granted and not done is given back; how many were done."""
        if self._grant is not None:
            self.governor.settle(self._grant, min(self._done, self._grant.steps))
        self._grant = None
        return self._done

    @property
    def _now(self) -> Moment:
        if self._moment is None:
            raise InvalidInput("moment", None, "say when it is before the learner is called")
        return self._moment
