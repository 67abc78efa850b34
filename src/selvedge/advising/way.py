"""A way to run and to teach the model: its figures, its arithmetic, its limits."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any

from .costs import Cut
from .figure import Sum
from .limits import Limit

EDGE, SPLIT, CLOUD = "edge", "split", "cloud"
# Where it learns.
NEVER, ALONE, FEDERATED, CENTRAL = "never", "on the device", "federated", "in the cloud"


@dataclass(frozen=True, slots=True)
class Way:
    """``kind``: edge, split or cloud; ``cut``: of a split, the ``at``-th of the model's. ``learning``: where it learns.
    ``leaves``: what leaves the device. Figures of one device, a day where they say so: bytes up and down the link,
    joules (None where a figure is missing) of computing and of the radio, seconds that it computes; ``money_per_day``:
    of the fleet. RAM and flash in bytes: to run, and to train (None where it does not train). ``sums``: the arithmetic,
    line by line."""

    kind: str
    cut: Cut | None
    at: int
    learning: str
    leaves: tuple[str, ...]
    latency_s: float
    up_bytes_per_day: float
    down_bytes_per_day: float
    busy_s_per_day: float
    compute_j_per_day: float | None
    radio_j_per_day: float | None
    joules_per_day: float | None
    money_per_day: float
    run_ram_bytes: int
    run_flash_bytes: int
    train_ram_bytes: int | None
    train_flash_bytes: int | None
    limits: tuple[Limit, ...]
    sums: tuple[Sum, ...]

    @property
    def feasible(self) -> bool:
        return all(limit.holds for limit in self.limits)

    @property
    def broken(self) -> tuple[Limit, ...]:
        """Limits that do not hold, the worst first."""
        return tuple(sorted((x for x in self.limits if not x.holds), key=lambda x: -x.used))

    @property
    def binds(self) -> Limit | None:
        """The limit that is nearest to breaking, or the farthest beyond; None where none is used at all."""
        most = max(self.limits, key=lambda x: x.used, default=None)
        return most if most is not None and most.used else None

    @property
    def name(self) -> str:
        """ "split at 3 (conv3)": behind the third layer of the costs."""
        return self.kind if self.cut is None else f"{self.kind} at {self.at} ({self.cut.name})"

    @property
    def bytes_per_day(self) -> float:
        """Over the link, both ways."""
        return self.up_bytes_per_day + self.down_bytes_per_day

    def sum(self, name: str) -> Sum:
        """The line of that name."""
        return next(line for line in self.sums if line.name == name)

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines; what is infinite or unknown is None."""
        figures = {
            name: getattr(self, name)
            for name in (
                "latency_s", "up_bytes_per_day", "down_bytes_per_day", "busy_s_per_day", "compute_j_per_day",
                "radio_j_per_day", "joules_per_day", "money_per_day", "run_ram_bytes", "run_flash_bytes",
                "train_ram_bytes", "train_flash_bytes",
            )
        }  # fmt: skip
        return {
            "way": self.kind,
            "cut": None if self.cut is None else self.cut.name,
            "at": self.at,
            "learning": self.learning,
            "leaves": list(self.leaves),
            "feasible": self.feasible,
            "binds": None if self.binds is None else self.binds.name,
            **{k: v if v is None or isfinite(v) else None for k, v in figures.items()},
            "limits": [limit.to_dict() for limit in self.limits],
            "arithmetic": [str(line) for line in self.sums],
        }
