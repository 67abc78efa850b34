"""What came out of a comparison, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ...device import Device
from ...errors import InvalidInput
from ...learn.metrics import Score
from . import shown
from .row import Row
from .stages import Terms
from .ways import parse


@dataclass(frozen=True, slots=True)
class Weighed:
    """``rows``: the ways, in the order they were asked for. ``guessing``: the test data's score without a model: its
    commonest class, or the mean. ``samples``: of train, validation and test. ``seeds``: how many from ``seed`` on."""

    name: str
    device: Device
    loss: str
    terms: Terms
    seeds: int
    seed: int
    samples: Mapping[str, int]
    guessing: Score
    rows: tuple[Row, ...]

    def __getitem__(self, way: str) -> Row:
        """The row of ``way``, its words in any order. Raises ``InvalidInput`` where it was not asked for."""
        name = parse(way).name
        found = next((r for r in self.rows if r.way == name), None)
        if found is None:
            raise InvalidInput("way", way, f"give one of {', '.join(r.way for r in self.rows)}")
        return found

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        return {
            "model": self.name,
            "device": self.device.name,
            **asdict(self.terms),
            "seeds": self.seeds,
            "seed": self.seed,
            "data": dict(self.samples),
            "guessing": asdict(self.guessing),
            "rows": [row.to_dict() for row in self.rows],
        }

    def __str__(self) -> str:
        return shown.table(self)

    def page(self) -> str:
        """A self-contained HTML document: two pictures whose points say what they are, and the table."""
        return shown.page(self)
