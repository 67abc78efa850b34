"""What a network and its devices do wrong, by lot."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ...artifact.number import finite
from ...errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities, of each message: drop; duplicate; corrupt (a byte changes); delay (it takes ``late`` seconds more,
    on the mean, so that others overtake it). Of each task: crash, of the device before it answers: what it had in
    memory is lost, before or after it was stored, and ``late`` seconds later it begins anew with what it has stored and
    asks for its task again; of each crash: lose, of what it has stored too. partitions: (from, to) in
    seconds during which ``cut`` of all devices are out of reach. liars: of devices, that turn their change around,
    times ``strength``.
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
    lose: float = 0.0

    def __post_init__(self) -> None:
        for f in fields(self):
            value, field = getattr(self, f.name), f"fault {f.name}"
            if f.name == "partitions":
                _partitions(field, value)
            elif (number := finite(value)) is None:
                raise InvalidInput(field, value, "give a finite number")
            elif f.name == "late" and number < 0:
                raise InvalidInput(field, value, "give seconds, 0 or more")
            elif f.name not in ("late", "strength") and not 0 <= number <= 1:
                raise InvalidInput(field, value, "give a probability, 0 to 1")


def _partitions(field: str, value: object) -> None:
    fix = "give pairs of seconds, (from, to), as ((60, 120),)"
    if not isinstance(value, tuple | list):
        raise InvalidInput(field, value, fix)
    for pair in value:
        ends = [finite(end) for end in pair] if isinstance(pair, tuple | list) and len(pair) == 2 else [None]
        start, end = ends[0], ends[-1]
        if start is None or end is None or not 0 <= start < end:
            raise InvalidInput(field, pair, fix)
