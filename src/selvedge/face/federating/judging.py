"""How good a model is on samples that no device has."""

from __future__ import annotations

from ...data import Dataset
from ...learn.metrics import score
from ...run.session import Session

Told = tuple[float, float | None]  # loss, and of classes the accuracy


class Judge:
    """The validation part of ``data`` judges each round, and the test part the end alone. Where there is no validation
    part the test part judges the rounds, and where there is none either, the training part."""

    def __init__(self, data: Dataset) -> None:
        have = [name for name in ("validation", "test") if len(data.split[name])]
        self._rounds = data.part(have[0] if have else "train")
        self._end = data.part("test") if len(have) == 2 else None

    def held_out(self, session: Session) -> Told:
        found = score(session, self._rounds)
        return found.loss, found.accuracy

    def test(self, session: Session) -> Told | None:
        if self._end is None:
            return None
        found = score(session, self._end)
        return found.loss, found.accuracy
