"""A row of the comparison: a way, what it reached with each seed, and what its network costs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ...learn.metrics import Score
from ..interleaved import Timing


@dataclass(frozen=True, slots=True)
class Outcome:
    """One seed. ``test``: of native code at the epoch that validation data chose; ``last``: at the last epoch.
    ``epoch``: the chosen one, from 1 (0: there were none). ``seconds``: of processor time, to produce it and everything
    that it was made of. ``macs``, ``arena_bytes``: of its prediction on the device."""

    seed: int
    test: Score
    last: Score
    epoch: int
    seconds: float
    macs: int
    arena_bytes: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Outcome:
        return cls(**{**given, "test": Score(**given["test"]), "last": Score(**given["last"])})


@dataclass(frozen=True, slots=True)
class Row:
    """``needs``: what must be there beside the model. ``what``: the network, where its name does not say.
    ``refused``: why it cannot be done; then there are no outcomes. ``costs``: figures of the first seed's network, as
    of :meth:`selvedge.make.measured_network.MeasuredNetwork.to_dict`; ``here``: its time on this machine."""

    way: str
    needs: tuple[str, ...]
    what: str
    refused: str
    outcomes: tuple[Outcome, ...]
    costs: Mapping[str, Any] | None
    here: Timing | None

    @property
    def classes(self) -> bool:
        return bool(self.outcomes) and self.outcomes[0].test.accuracy is not None

    def _scores(self, kind: str) -> list[float]:
        found = [getattr(o, kind) for o in self.outcomes]
        return [s.loss if s.accuracy is None else s.accuracy for s in found]

    @property
    def mean(self) -> float | None:
        """The accuracy on the test data (a fraction), or where there are no classes the loss, over all seeds."""
        return statistics.fmean(self._scores("test")) if self.outcomes else None

    @property
    def spread(self) -> float | None:
        """Its standard deviation over the seeds (n - 1); None of a single one."""
        return statistics.stdev(self._scores("test")) if len(self.outcomes) > 1 else None

    @property
    def last(self) -> float | None:
        """The mean of the last epochs."""
        return statistics.fmean(self._scores("last")) if self.outcomes else None

    @property
    def seconds(self) -> float | None:
        """Of processor time, to produce it, over all seeds on average."""
        return statistics.fmean(o.seconds for o in self.outcomes) if self.outcomes else None

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        return {
            "way": self.way,
            "what": self.what,
            "needs": list(self.needs),
            "refused": self.refused,
            "test": {"mean": self.mean, "spread": self.spread, "last_epoch": self.last},
            "seeds": [o.to_dict() for o in self.outcomes],
            "costs": None if self.costs is None else dict(self.costs),
            "here": None if self.here is None else asdict(self.here),
            "seconds_to_produce": self.seconds,
        }
