"""A learner on a stream that may be cut off at any moment, and then goes on as if it had not been."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from ..errors import DoesNotFit, InvalidInput
from .course import Course, Point
from .diary import Entry
from .energy.clock import SystemClock
from .energy.governor import Governor
from .energy.meter import Meter
from .energy.senses import Charge, Moment, look
from .figures import Prediction
from .guard.anchor import Anchor
from .journal.journal import Journal
from .learner import Learner
from .metrics import predictions
from .stream.odd import Odd
from .stream.sample import Sample

Array = npt.NDArray[Any]
JUMP = 60.0  # seconds that a wall clock may be off against the time that has passed
WAITING = 64  # things to tell that are kept until they can be written


@dataclass(frozen=True, slots=True)
class Round:
    """What a round came to: the point of the course; ``entries``: what the diary got by it; ``joules`` of the last day
    (None without a governor), and why it learns or rests."""

    point: Point
    commits: int
    refused: int
    steps: int
    entries: tuple[Entry, ...]
    joules: float | None
    energy: str


class Live:
    """Every call is in the journal before the learner sees it; so a snapshot and the calls since are all it takes.

    A learner of the same settings and weights, a governor likewise, and the same journal go on from where the last one
    was when it was killed, bit for bit. :attr:`position` is where the stream goes on. Without a journal nothing is
    kept.

    Energy of steps that are done again after a kill is charged a second time: it was spent. Where the governor then
    grants less than it would have, the runs differ.

    >>> # with sv.Journal("life", 1 << 20) as journal:
    >>> #     live = sv.Live(learner, journal)
    >>> #     live.run(samples)
    """

    def __init__(
        self, learner: Learner, journal: Journal | None = None, governor: Governor | None = None, *,
        now: Callable[[], Moment] | None = None,
    ) -> None:  # fmt: skip
        """now: what time and battery say; by default this machine's clock. Recovers what the journal has.

        Raises ``InvalidInput`` for a learner that has learnt already, and for the journal of another one.
        """
        clock = SystemClock()
        self.learner, self.journal, self.governor = learner, journal, governor
        self._now = now or (lambda: look(clock))
        self._meter = None if governor is None else Meter(governor)
        if self._meter is not None:
            learner.governor = self._meter
        self.course, self._odd = Course(), Odd()
        self.position = 0
        self.repeated = 0
        self._resting = False
        self._last: tuple[float, float, int] | None = None  # wall, ticks, boot
        self._told: deque[tuple[str, str]] = deque(maxlen=WAITING)
        self._telling = threading.Lock()
        self._kept: Prediction | None = None
        self.recovered = 0
        self._about = {"do": "begin", "of": learner.session.fingerprint(), "anchor": _digest(learner.anchor)}
        if learner.tally.seen:
            raise InvalidInput("learner", f"after {learner.tally.seen} samples", "give one that has not learnt yet")
        if journal is not None:
            self._recover(journal)

    # -- calls ------------------------------------------------------------------------------------------------------

    def feed(self, sample: Sample) -> Round | None:
        """One sample of a stream: learnt from where it has a class, or the loss needs none; else only counted as
        predicted. What came of it, where it ended a round.

        One whose number was there before is left out and counted in :attr:`repeated`. Raises ``InvalidInput`` for a
        sample that the learner does not take, and where the journal cannot be written, ``DoesNotFit`` where a snapshot
        is too large for it; then nothing has changed, and the call may be made again.
        """
        if sample.number < self.position:
            self.repeated += 1
            if self.repeated == 1:
                self.tell("stream", f"sample {sample.number} was there before: left out; further ones are counted")
            return None
        learner = self.learner
        x, y = learner.checked(sample.x, None if sample.y is None else int(sample.y))
        said = self._odd.look(sample)
        if said:
            self.tell("stream", said)
        if learner.labelled and y is None:
            return self._call({"do": "see", "next": sample.number + 1})
        return self._call({"do": "learn", "y": y, "next": sample.number + 1}, {"x": x})

    def predict(self, x: npt.ArrayLike, *, later: bool = False) -> Prediction:
        """What the committed weights say of a sample. later: keep it, also over a kill, until :meth:`label`."""
        checked, _ = self.learner.checked(x)
        if checked.dtype.kind == "f" and not np.isfinite(checked).all():
            raise InvalidInput("sample", "not finite", "give numbers")
        if later:
            self._call({"do": "later", "next": self.position}, {"x": checked})
            assert self._kept is not None
            return self._kept
        if self.governor is not None:
            self._call({"do": "see", "next": self.position})
        return Prediction(predictions(self.learner.session, checked[None])[0])

    def predict_many(self, x: npt.ArrayLike) -> Array:
        """What the committed weights say of samples [n, ...]."""
        many = self.learner.several(x)
        if self.governor is not None:
            self._call({"do": "see", "count": len(many), "next": self.position})
        return predictions(self.learner.session, many)

    def answered(self, why: str) -> None:
        """As :meth:`Learner.answered`, and it outlives a kill."""
        if self.learner.asks is None:
            raise InvalidInput("answered", why, "it asks for nothing: see learner.asks")
        self._call({"do": "answered", "why": why, "next": self.position})

    def label(self, ticket: int, y: int) -> Round | None:
        """The class of a sample that was predicted with ``later=True``."""
        learner = self.learner
        learner.checked(np.zeros(learner.memory.sample_shape, learner.memory.dtype), y)
        if learner.pending is None:
            raise InvalidInput("ticket", ticket, "give the learner pending_bytes to keep samples in")
        learner.pending.check(ticket)
        return self._call({"do": "label", "ticket": int(ticket), "y": int(y), "next": self.position})

    def enrol(self, label: str, examples: npt.ArrayLike, *, steps: int = 400) -> bool:
        """As :meth:`Learner.enrol`, and it outlives a kill."""
        _, x = self.learner.enrollable(label, examples, steps)
        before = self.learner.diary.counts.get("enrolled", 0)
        self._call({"do": "enrol", "label": label, "steps": steps, "next": self.position}, {"x": x})
        return self.learner.diary.counts.get("enrolled", 0) > before

    def undo(self) -> None:
        """As :meth:`Learner.undo`, and it outlives a kill."""
        self.learner.undoable()
        self._call({"do": "undo", "next": self.position})

    def finish(self) -> Round | None:
        """End the round with the samples that are there, and take a snapshot: at the end of a stream."""
        found = self._call({"do": "finish", "next": self.position})
        self.snapshot()
        return found

    def tell(self, kind: str, why: str) -> None:
        """Something of the world that belongs into the diary: it is written with the next call. From any thread."""
        with self._telling:
            if (kind, why) not in self._told:
                self._told.append((kind, why))

    def flush(self) -> None:
        """Write what was told now."""
        if self._told:
            self._call({"do": "tell", "next": self.position})

    def run(
        self, samples: Iterable[Sample], *, on_round: Callable[[Round], None] = lambda made: None,
        on_sample: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """Feed all of them. A sample that the learner does not take is told in the diary, and left out."""
        for sample in samples:
            try:
                self.learner.checked(sample.x, sample.y)
            except InvalidInput as error:
                self.tell("refused", str(error))
                continue
            made = self.feed(sample)
            on_sample()
            if made is not None:
                on_round(made)

    # -- what is written and done -------------------------------------------------------------------------------------

    def _call(self, head: dict[str, Any], arrays: Mapping[str, Array] | None = None) -> Round | None:
        """Write it, do it, and take a snapshot where one is due."""
        with self._telling:
            told = list(self._told)
            self._told.clear()
        head |= {"at": _plain(self._now()), **({"told": told} if told else {})}
        if self.journal is not None:
            try:
                try:
                    self.journal.append(head, arrays)
                except DoesNotFit:  # it is larger than any before: a snapshot makes room
                    self.snapshot()
                    self.journal.append(head, arrays)
            except (InvalidInput, DoesNotFit) as error:
                with self._telling:
                    self._told.extendleft(reversed(told))
                self.tell("journal", str(error))
                raise
        made = self._do(head, arrays or {})
        if self.journal is not None and self.journal.due:
            try:
                self.snapshot()
            except InvalidInput as error:  # a full disk: what the log still takes is taken
                self.tell("journal", str(error))
        return made

    def _do(self, head: Mapping[str, Any], arrays: Mapping[str, Array]) -> Round | None:
        """The only way in which anything changes: of a call, and of a record of one."""
        learner, meter, tally = self.learner, self._meter, self.learner.tally
        moment = _moment(head["at"])
        before = tally.seen, tally.merit, tally.loss, tally.rounds, sum(learner.diary.counts.values())
        for kind, why in head.get("told", ()):
            learner.diary.write(tally.seen, kind, why)
        self._clock(moment)
        if meter is not None:
            meter.at(moment)
        self.position, do = int(head["next"]), head["do"]
        if do in ("see", "learn") and meter is not None:
            meter.spend(predictions=head.get("count", 1))
        if do == "learn":
            learner.learn_one(arrays["x"], head["y"])
        elif do == "later":
            self._kept = learner.predict_one(arrays["x"], later=True)
        elif do == "label":
            learner.label(head["ticket"], head["y"])
        elif do == "enrol":
            learner.enrol(head["label"], arrays["x"], steps=head["steps"])
        elif do == "undo":
            learner.undo()
        elif do == "answered":
            learner.answered(head["why"])
        elif do == "finish":
            learner.finish()
        elif do == "again" and self.governor is not None:
            self.governor.redone(moment, self.governor.variants[0].name, head["steps"])
        if meter is not None:
            meter.settle()
            if tally.rounds > before[3] and self._resting is meter.granted:
                self._resting = not meter.granted
                learner.diary.write(tally.seen, "rests" if self._resting else "learns", meter.why)
        return self._ended(before) if tally.rounds > before[3] and tally.seen > before[0] else None

    def _ended(self, before: tuple[int, float, float, int, int]) -> Round:
        seen, merit, loss, _, entries = before
        learner, tally = self.learner, self.learner.tally
        point = self.course.enter(tally.seen - seen, tally.merit - merit, tally.loss - loss, tally.seen, tally.merit)
        fresh = sum(learner.diary.counts.values()) - entries
        return Round(
            point, tally.commits, tally.refused, tally.steps, tuple(learner.diary)[-fresh:] if fresh else (),
            None if self.governor is None else self.governor.spent, "" if self._meter is None else self._meter.why,
        )  # fmt: skip

    def _clock(self, now: Moment) -> None:
        """A wall clock that was set, told in the diary."""
        if self._last is not None and self._last[2] == now.boot:
            jump = (now.wall - self._last[0]) - (now.ticks - self._last[1])
            if abs(jump) > JUMP:
                way = "forth" if jump > 0 else "back"
                self.learner.diary.write(self.learner.tally.seen, "clock", f"it was set {way} by {abs(jump):,.0f} s")
        self._last = (now.wall, now.ticks, now.boot)

    # -- keeping ----------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Array]:
        """Copies of all that it is, by name; for comparing, and what a snapshot holds."""
        wall, ticks, boot = self._last or (0.0, -1.0, 0)
        state = {f"learner/{n}": a for n, a in self.learner.state_dict().items()}
        state |= {f"course/{n}": a for n, a in self.course.state_dict().items()}
        if self.governor is not None:
            state |= {f"governor/{n}": a for n, a in self.governor.state_dict().items()}
        state["time"], state["boot"] = np.array([wall, ticks]), np.array(boot, np.uint64)
        state["numbers"] = np.array([self.position, self._resting], np.int64)
        return state

    def _load(self, state: Mapping[str, Array]) -> None:
        def part(name: str) -> dict[str, Array]:
            return {n.removeprefix(f"{name}/"): a for n, a in state.items() if n.startswith(f"{name}/")}

        if bool(part("governor")) != (self.governor is not None):
            had = "one" if part("governor") else "none"
            raise InvalidInput("governor", "not as before", f"the journal is of a life with {had}: give the same")
        self.learner.load_state_dict(part("learner"))
        self.course.load_state_dict(part("course"))
        if self.governor is not None:
            self.governor.load_state_dict(part("governor"))
        (wall, ticks), boot = state["time"], int(state["boot"])
        self._last = None if ticks < 0 else (float(wall), float(ticks), boot)
        self.position, self._resting = int(state["numbers"][0]), bool(state["numbers"][1])

    def snapshot(self) -> None:
        """All of it, in place of the calls until now: before a pause, after which less has to be done again."""
        if self.journal is not None:
            self.journal.snapshot(self._about, self.state_dict())

    def _recover(self, journal: Journal) -> None:
        """Snapshot, then every call since it. What the disk has lost is told in the diary."""
        found, records = journal.recover()
        if found is None and not records:
            journal.append(self._about)
        heads = [record.head for record in ([found] if found else records[:1])]
        for head in heads:
            if not isinstance(head, dict) or head.get("do") != "begin":
                raise InvalidInput("journal", str(journal.folder), "it is not of a learner's life: name another folder")
            for part, what in (("of", "another plan, or other weights"), ("anchor", "an anchor of other samples")):
                if head.get(part) != self._about[part]:
                    raise InvalidInput(
                        "journal", str(journal.folder), f"it is of {what}: give those, or another folder"
                    )
        if found is not None:
            self._load(found.arrays)
        steps = self.learner.tally.steps
        for record in records:
            if record.head["do"] != "begin":
                self._do(record.head, record.arrays)
                self.recovered += 1
        for line in journal.dropped:
            if ": torn at" not in line:  # a call that was being written, and has not returned
                self.tell("journal", f"damaged: {line}")
        again = self.learner.tally.steps - steps
        if again and self.governor is not None:
            self._call({"do": "again", "steps": again, "next": self.position})
        self.flush()

    @property
    def bytes(self) -> dict[str, int]:
        """Of RAM, part by part: the learner's, and what stands round it."""
        own = {"course": self.course.bytes}
        if self.governor is not None:
            own["governor"] = self.governor.bytes
        return {**self.learner.bytes.ram, **own}


def _digest(anchor: Anchor | None) -> int:
    """Of what calls that are done again are judged by: they must come to the same."""
    if anchor is None:
        return 0
    y = b"" if anchor.y is None else np.ascontiguousarray(anchor.y).tobytes()
    return crc32(y, crc32(np.ascontiguousarray(anchor.x).tobytes(), anchor.judging))


def _plain(moment: Moment) -> list[Any]:
    charge = moment.charge
    told = None if charge is None else [charge.share, charge.joules, charge.charging]
    return [moment.wall, moment.ticks, moment.boot, told, moment.celsius]


def _moment(at: list[Any]) -> Moment:
    wall, ticks, boot, charge, celsius = at
    return Moment(wall, ticks, boot, None if charge is None else Charge(*charge), celsius)
