"""What would make a plan fit: changes that were planned, each with its price. Values, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """A change after which a plan fits: it was planned.

    text: the change in words. apply: the keyword arguments of ``sv.plan`` that make it; laid over those of the refused
    call, they give a plan of ``arena_bytes`` and ``flash_bytes``. batch, seconds, joules: of one step of that plan;
    None where the device has no figures.

    The price: ``learns_parameters`` of the parameters learn, and ``gives_up`` is the share (0 to 1) of those that were
    to learn and would not. ``time_factor`` and ``energy_factor``: seconds and joules of a sample, as multiples of the
    refused plan's; None where they are not known.
    """

    text: str
    apply: Mapping[str, Any]
    arena_bytes: int
    flash_bytes: int
    batch: int
    seconds: float | None
    joules: float | None
    learns_parameters: int
    gives_up: float
    time_factor: float | None
    energy_factor: float | None

    @property
    def price(self) -> str:
        """What it costs, in words: less of either is a gain."""
        parts = [f"{self.gives_up:.1%} of what was to learn does not"] if self.gives_up else []
        for factor, of in ((self.time_factor, "time"), (self.energy_factor, "energy")):
            if factor is not None and not 0.995 <= factor < 1.005:
                parts.append(f"{factor:.2f} x the {of} a sample")
        return ", ".join(parts) or "none that is predicted"

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        return {
            "text": self.text,
            "apply": {name: _plain(value) for name, value in self.apply.items()},
            "arena_bytes": self.arena_bytes,
            "flash_bytes": self.flash_bytes,
            "batch": self.batch,
            "seconds": self.seconds,
            "joules": self.joules,
            "learns_parameters": self.learns_parameters,
            "gives_up": self.gives_up,
            "time_factor": self.time_factor,
            "energy_factor": self.energy_factor,
        }


class Changes(tuple[Change, ...]):
    """Changes, the one that gives up least first. ``print`` shows a table."""

    __slots__ = ()

    def __str__(self) -> str:
        """A line for each: its RAM, what it is, and below that its price."""
        if not self:
            return "no change that was tried fits"
        lines = []
        for change in self:
            lines += [f"{change.arena_bytes:>11,} B  {change.text}", f"{'':13}  price: {change.price}"]
        return "\n".join(lines)

    def to_dict(self) -> list[dict[str, Any]]:
        """The figures, for machines."""
        return [change.to_dict() for change in self]


def _plain(value: Any) -> Any:
    """An optimiser or a trade as its name and fields."""
    if is_dataclass(value) and not isinstance(value, type):
        return {"name": type(value).__name__, **asdict(value)}
    return value
