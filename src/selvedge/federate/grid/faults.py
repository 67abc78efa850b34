"""What a network and its devices do wrong, by lot."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ...errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities, of each message: drop; duplicate; corrupt (a byte changes); delay (it takes ``late`` seconds more,
    so that others overtake it). Of each task: crash, of the device before it answers: what it had in memory is lost,
    and it comes back after ``late`` seconds. partitions: (from, to) in seconds during which ``cut`` of all devices are
    out of reach. liars: of devices, that turn their change around, times ``strength``.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0
    delay: float = 0.0
    crash: float = 0.0
    late: float = 60.0
    partitions: tuple[tuple[float, float], ...] = ()
    cut: float = 0.5
    liars: float = 0.0
    strength: float = 1.0

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in ("drop", "duplicate", "corrupt", "delay", "crash", "cut", "liars") and not 0 <= value <= 1:
                raise InvalidInput(f"fault {f.name}", value, "give a probability")
