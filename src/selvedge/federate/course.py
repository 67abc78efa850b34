"""What a run has done, for people: counted from its events, as they happen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .coordinator import Advanced, Began, Closed, Coordinator, Event, Gone, Opened, Said, Stopped, Taken, Void


@dataclass(frozen=True, slots=True)
class Move:
    """One move of the model. seconds: since the run began. up, down: bytes on the wire until then, heads and all.
    asked, changes, lost: devices that were asked for it, whose change counts, and that never answered. loss: of the
    devices on their own samples before they learnt. told: what was said of the model then, a loss and, of classes, an
    accuracy. joules: until then, None: not known. failed: groups of a masked round that were dropped, and why."""

    version: int
    seconds: float
    up: int
    down: int
    asked: int
    changes: int
    lost: int
    loss: float
    told: tuple[float, float | None] | None = None
    joules: float | None = None
    failed: tuple[str, ...] = ()


@dataclass(slots=True)
class Seen:
    """Of one device. taken: changes that counted. last: seconds, of the last of them; None: never. task: of that one;
    -1: none."""

    asked: int = 0
    taken: int = 0
    last: float | None = None
    task: int = -1


@dataclass
class Course:
    """``moves`` so far, and ``devices`` by name."""

    moves: list[Move] = field(default_factory=list)
    devices: dict[str, Seen] = field(default_factory=dict)
    began: float | None = None
    _asked: int = 0  # since the last move
    _taken: int = 0
    _gone: int = 0
    _void: int = 0

    @property
    def lost(self) -> int:
        return sum(m.lost for m in self.moves) + self._gone + self._void

    def heard(self, event: Event, now: float) -> None:
        """``now``: on the clock of the events."""
        if isinstance(event, Began):
            self.began = event.at
        elif isinstance(event, Opened):
            self._asked += len(event.asked)
            for client in event.asked:
                self.devices.setdefault(client, Seen()).asked += 1
        elif isinstance(event, Taken):
            self._taken += 1
            seen = self.devices.setdefault(event.client, Seen())
            seen.taken, seen.last, seen.task = seen.taken + 1, now - (self.began or 0.0), event.task
        elif isinstance(event, Gone):
            self._gone += 1
        elif isinstance(event, Void):
            self._void += max(0, self._asked - self._taken - self._gone - self._void)
        else:
            assert isinstance(event, Closed | Stopped | Said | Advanced)

    def moved(
        self, coordinator: Coordinator, up: int, down: int, told: tuple[float, float | None] | None,
        joules: float | None = None,
    ) -> Move:  # fmt: skip
        """A :class:`Move` of what the coordinator has just done."""
        s, last = coordinator.settings, coordinator.moved[-1]
        # Those who were asked beyond the answers that were wanted are late, not lost.
        missing = 0 if last.changes >= s.clients or s.mode == "buffered" else self._asked - self._taken - self._gone
        lost = self._gone + max(missing, self._void)
        seconds = last.at - (last.at if self.began is None else self.began)
        if s.masked is not None:  # who is in a sum is known at its end
            self._asked = max(self._asked, last.changes)  # what a kill took
            lost = 0 if last.changes >= s.clients else self._asked - last.changes
            for client, task in coordinator.last.items():
                seen = self.devices.setdefault(client, Seen())
                if task > seen.task:
                    seen.taken, seen.task, seen.last = seen.taken + 1, task, seconds
                    seen.asked = max(seen.asked, seen.taken)
        made = Move(
            last.version, seconds, up, down, self._asked, last.changes, lost, last.loss, told, joules,
            last.failed,
        )  # fmt: skip
        self.moves.append(made)
        self._asked = self._taken = self._gone = self._void = 0
        return made

    def caught_up(self, coordinator: Coordinator) -> None:
        """Count the changes that ``coordinator`` has and the process did not live to tell of: at most one a device, for
        every move is told."""
        for client, task in {**coordinator.last, **coordinator.taken}.items():
            seen = self.devices.setdefault(client, Seen())
            if task > seen.task:
                seen.taken, seen.task = seen.taken + 1, task
                present = client in coordinator.taken
                self._taken += present
                if seen.asked < seen.taken:
                    seen.asked, self._asked = seen.asked + 1, self._asked + present

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; :meth:`of` reads it."""
        return {
            "began": self.began,
            "moves": [asdict(m) for m in self.moves],
            "devices": {name: asdict(seen) for name, seen in self.devices.items()},
            "since": [self._asked, self._taken, self._gone, self._void],
        }

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Course:
        moves = [
            Move(**{**m, "told": None if m["told"] is None else tuple(m["told"]), "failed": tuple(m.get("failed", ()))})
            for m in given["moves"]
        ]
        devices = {name: Seen(**seen) for name, seen in given["devices"].items()}
        return cls(moves, devices, given["began"], *given["since"])
