"""How a run stands: what `status` says of it, and what is said at its end. One value, as JSON and in words."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...artifact import files
from ...device.sizes import format_bytes
from ...errors import InvalidInput
from ...federate.coordinator import Coordinator
from ...federate.course import Course, Move
from ..figures import joules, percent
from .clock import span

FILE = "status.json"  # in a run's folder
WORLDS = ("simulated", "real")


@dataclass(frozen=True, slots=True)
class Report:
    """``world``: "simulated" or "real". ``phase``: "waiting", "open", "done" or "stopped", and ``why``. ``known``:
    devices that may take part. ``refused``, ``faults``: counts by reason. ``up``, ``down``: bytes. ``test``: loss and
    accuracy at the end, on samples that nothing else saw. ``at``: Unix seconds. ``stage``: of a masked round, where its
    groups are. ``left_out``: devices that have ended such rounds and are asked no more, and why. ``privacy``: of a
    private run, what it states of that (:func:`~...federate.stated.statement`)."""

    name: str
    world: str
    phase: str
    why: str
    rounds: int
    known: int
    course: Course
    up: int
    down: int
    refused: Mapping[str, int]
    faults: Mapping[str, int] = field(default_factory=dict)
    test: tuple[float, float | None] | None = None
    at: float = 0.0
    stage: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)
    privacy: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def now(
        cls, world: str, coordinator: Coordinator, course: Course, known: int, up: int, down: int,
        refused: Mapping[str, int], faults: Mapping[str, int] | None = None,
        test: tuple[float, float | None] | None = None, privacy: Mapping[str, Any] | None = None,
    ) -> Report:  # fmt: skip
        s = coordinator.settings
        return cls(
            s.name, world, coordinator.phase, coordinator.why, s.rounds, known, course, up, down, dict(refused),
            dict(faults or {}), test, time.time(), "" if coordinator.round is None else str(coordinator.round),
            dict(coordinator.left_out), dict(privacy or {}),
        )  # fmt: skip

    @property
    def last(self) -> Move | None:
        return self.course.moves[-1] if self.course.moves else None

    @property
    def told(self) -> tuple[float, float | None] | None:
        """What was said of the model last."""
        return next((m.told for m in reversed(self.course.moves) if m.told is not None), None)

    def write(self, folder: Path) -> None:
        files.write(folder / FILE, (json.dumps(self.to_dict(), allow_nan=False) + "\n").encode())

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        last, told = self.last, self.told
        return {
            "run": self.name, "world": self.world, "phase": self.phase, "why": self.why,
            "round": last.version if last else 0, "rounds": self.rounds,
            "loss": told[0] if told else None, "accuracy": told[1] if told else None,
            "test": None if self.test is None else {"loss": self.test[0], "accuracy": self.test[1]},
            "up": self.up, "down": self.down, "seconds": last.seconds if last else 0.0,
            "joules": last.joules if last else None, "known": self.known, "seen": len(self.course.devices),
            "lost": self.course.lost, "refused": dict(self.refused), "faults": dict(self.faults), "at": self.at,
            "stage": self.stage, "left_out": dict(self.left_out), "privacy": dict(self.privacy),
            "course": self.course.to_dict(),
        }  # fmt: skip

    @classmethod
    def of(cls, given: Any, where: str) -> Report:
        """What :meth:`to_dict` gave. Raises ``InvalidInput``."""
        try:
            test = given["test"]
            return cls(
                given["run"], given["world"], given["phase"], given["why"], given["rounds"], given["known"],
                Course.of(given["course"]), given["up"], given["down"], given["refused"], given["faults"],
                None if test is None else (test["loss"], test["accuracy"]), given["at"],
                given.get("stage", ""), given.get("left_out", {}), given.get("privacy", {}),
            )  # fmt: skip
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InvalidInput("status", where, f"it is none of ours ({error})") from None

    def __str__(self) -> str:
        c, last, told = self.course, self.last, self.told
        stands = f"{self.phase} ({self.stage})" if self.stage else self.phase
        ended = {"done": "done", "stopped": f"stopped: {self.why}"}.get(self.phase, stands)
        lines = [f"{self.name}: {ended}; {last.version if last else 0} of {self.rounds} rounds"]
        if told is not None:
            text = f"loss {told[0]:.4g}" if told[1] is None else f"{percent(told[1])} right, loss {told[0]:.4g}"
            lines.append(f"held out: {text}")
        if self.test is not None:
            loss, accuracy = self.test
            lines.append(f"test: {'' if accuracy is None else f'{percent(accuracy)} right, '}loss {loss:.4g}")
        answers = sum(m.changes for m in c.moves)
        each = f", {self.up / answers:,.0f} B a change" if answers else ""
        lines.append(f"sent: {format_bytes(self.up)} up{each}; {format_bytes(self.down)} down")
        lines.append(f"devices: {self.known:,} known, {len(c.devices):,} asked, {answers:,} changes, {c.lost:,} lost")
        if last is not None:
            virtual = "virtual time" if self.world == "simulated" else "time"
            energy = "" if self.world != "simulated" else f"; energy of learning: {joules(last.joules)}"
            lines.append(f"{virtual}: {span(last.seconds)}{energy}")
        if self.privacy:
            lines.append(_private(self.privacy, self.world))
        dropped = [line for m in c.moves for line in m.failed]
        if dropped:
            lines.append(f"dropped: {len(dropped):,} groups of masked rounds, the last one {dropped[-1]}")
        lines += [f"left out: {name}: {why}" for name, why in sorted(self.left_out.items())]
        lines += [f"refused {n:,} x: {why}" for why, n in sorted(self.refused.items(), key=lambda pair: -pair[1])]
        if self.faults:
            lines.append("faults: " + ", ".join(f"{n:,} {what}" for what, n in sorted(self.faults.items())))
        return "\n".join(lines)


def _private(stated: Mapping[str, Any], world: str) -> str:
    """What is told of a unit, in a line."""
    of = f"of {stated['budget']:g} at delta {stated['delta']:g}, in {stated['releases']:,} releases"
    if stated["where"] == "local" and world == "real":
        said = f"epsilon {stated['epsilon']:.3f} {of}, of a device that has answered all; each counts its own"
        if stated["epsilon"] > stated["budget"]:
            said += ", and stops before it is past what is promised, unless its owner lets more be told"
    else:
        said = f"epsilon {stated['epsilon']:.3f} {of}"
    return f"privacy: {said}; {stated['where']} noise hides {stated['unit']}"


def line(move: Move) -> dict[str, Any]:
    """A move, for machines."""
    made = asdict(move)
    told = made.pop("told")
    return {
        "round": made.pop("version"), "accuracy": told[1] if told else None, "held_out_loss": told[0] if told else None,
        **made,
    }  # fmt: skip
