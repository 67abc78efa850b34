"""A run as a state machine without I/O: events in, a model out; what happens next is a function of what has happened.

The model after the same events is the same to the last bit, and, of the changes of one round, in whatever order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..learn.draws import WORD, Draws, mixed
from .aggregate.fixed import Beyond, FixedSum
from .aggregate.robust import rule
from .codec.masked import next_step, share_of
from .codec.named import codec
from .cover import Cover, Rolling
from .federation import Federation
from .layout import Layout, Vector, digest
from .masked_round import MaskedRound, Parts
from .masking.blame import Blame
from .masking.marks import Marks
from .masking.terms import STAGES
from .names import Names, names
from .privacy.central import Central
from .privacy.shared import Shared
from .shown import Shown
from .tally import Tally

Arrays = Mapping[str, npt.NDArray[Any]]
Phase = Literal["waiting", "open", "done", "stopped"]
AGAIN = 2  # times that a sum of the same members is tried: somebody may get lost each time
SUMMED = 32  # sums of one model that are remembered
FADED = 256  # buffered: weights are whole numbers of 1 / 256


@dataclass(frozen=True, slots=True)
class Began:
    at: float


@dataclass(frozen=True, slots=True)
class Opened:
    """``asked``: device -> its part. population: devices known in all, which SCAFFOLD divides by. keys: of a masked
    round, device -> its public key in hexadecimal."""

    at: float
    asked: Mapping[str, str]
    population: int
    keys: Mapping[str, str] = field(default_factory=dict)
    certificates: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Taken:
    """A change that counts. ``change``: float32 in the layout of the device's part; ``control``: the like, or None."""

    client: str
    task: int
    weight: int
    loss: float
    change: Vector
    control: Vector | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a device answered to a stage of a masked round: it counts."""

    client: str
    task: int
    answer: bytes


@dataclass(frozen=True, slots=True)
class Advanced:
    """A stage of a group of a masked round is over."""

    at: float
    group: int


@dataclass(frozen=True, slots=True)
class Gone:
    """A device that will not answer its task: it said so, or its time is over. of: of a masked round, the member that
    it says is to blame; lie: what it has signed itself that cannot be, for people."""

    client: str
    of: str = ""
    lie: str = ""


@dataclass(frozen=True, slots=True)
class Closed:
    """The model moves."""

    at: float


@dataclass(frozen=True, slots=True)
class Void:
    """The deadline passed with too few answers: in rounds they are dropped, buffered they wait for more."""

    at: float


@dataclass(frozen=True, slots=True)
class Stopped:
    why: str


Event = Began | Opened | Taken | Said | Advanced | Gone | Closed | Void | Stopped


@dataclass(slots=True)
class Busy:
    """What a device was asked, when, with which version of the model, and the part of it that it has."""

    task: int
    version: int
    part: str
    at: float


@dataclass(frozen=True, slots=True)
class Moved:
    """One move of the model, for people. loss: of the devices before they learnt, by weight. failed: groups of a masked
    round that were dropped, and why."""

    version: int
    at: float
    changes: int
    loss: float
    failed: tuple[str, ...] = ()


@dataclass
class Coordinator:
    """``covers``: by name, the parts that devices may have; "" is the whole model. run: its name and which of all runs
    of that name it is: two that share a name share no change. secret: in hexadecimal, what private noise is made of.
    rules: of a masked run, what devices were invited to, by :func:`.invitation.rules`."""

    settings: Federation
    whole: Layout
    begin: Vector
    covers: Mapping[str, Cover | Rolling] = field(default_factory=dict)
    run: str = ""
    secret: str = ""
    rules: str = ""

    def __post_init__(self) -> None:
        s, size = self.settings, self.whole.size
        if s.rule != "mean" and not all(map(self.is_whole, self.covers)):
            raise InvalidInput("rule", s.rule, "parts of a model are added up by the mean")
        if s.local.scaffold and any(cover.period > 1 for cover in self.covers.values()):
            raise InvalidInput("scaffold", "with parts that roll", "a control variate is of the same elements always")
        self.model = self.begin.astype(np.float64)
        shapes = tuple(self.whole.shapes.values())
        self.shown = Shown(self.begin, codec(s.down), shapes, s.difference, s.history, s.seed)
        self._optimizer = s.optimizer.begin(size)
        self._sum = FixedSum(size, s.bound, s.weights * (FADED if s.mode == "buffered" else 1))
        self.private: Central | None = None
        if s.privacy is not None and not all(map(self.is_whole, self.covers)):
            raise InvalidInput("privacy", "with parts of a model", "how many have an element would tell: no covers")
        if s.privacy is not None and s.privacy.where == "central":
            self.private = Central(s.privacy, s.clients)
            self.private.check(self._sum)
        self.control = np.zeros(size) if s.local.scaffold else None
        self._controls = FixedSum(size, s.bound, s.weights) if s.local.scaffold else None
        self._held: list[tuple[str, Vector]] = []  # of the rules that need all
        self.round: MaskedRound | None = None
        self.blame, self._marks = Blame(), Marks()
        self._summed: list[tuple[str, ...]] = []  # until the model moves: whose sums of it there may be
        # The largest value of a first masked round is what a step of rate 1 by a gradient of 1 would be.
        self.step = 0.0 if s.masked is None else min(s.local.rate, s.bound) / ((1 << (s.masked.bits - 1)) - 1)
        self.shared: Shared | None = None
        if s.privacy is not None and s.masked is not None and s.privacy.where == "distributed":
            self.shared = Shared(s.privacy, s.masked, size, self._share, s.asked)
            self.step = self.shared.step
        self.phase: Phase = "waiting"
        self.why = ""
        self.opened: float | None = None
        self.void, self.next_task, self.population = 0, 0, 0
        self.busy: dict[str, Busy] = {}
        self.taken: dict[str, int] = {}  # of the present round: device -> task
        self.last = Tally()  # the task of each device that was used last
        self._loss = (0.0, 0)
        self.moved: list[Moved] = []

    # -- what is next -----------------------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        return self.shown.version

    def due(self, now: float, here: Callable[[], Mapping[str, str]], population: int = 0) -> Event | None:
        """The event that the clock, or what was taken, asks for; None: wait. ``here``: gives the devices that can be
        asked, and the part that each has; it is called where that matters. population: devices
        known in all; 0: those."""
        s = self.settings
        if self.phase in ("done", "stopped"):
            return None
        if self.opened is None:
            return Began(now)
        if self.private is not None and self.phase == "waiting" and (why := self.private.why_not(self.version)):
            return Stopped(why)
        if self.shared is not None and self.phase == "waiting" and (why := self.shared.why_not(self.next_task)):
            return Stopped(why)
        if self.private is not None and self.phase == "waiting" and population > s.weights:
            # Where there is no room for all, who comes first leaves others out, and they tell of each other.
            return Stopped(f"{population:,} devices are known, and the weights of a round have room for {s.weights:,}")
        if self.private is not None and self.private.by_clock:
            first = self.phase == "waiting" and not self.next_task  # devices have a deadline's time to come
            if now < self.opened + s.deadline and (first or self.phase == "open"):
                return None
            return Closed(now) if self.phase == "open" else self._opened(now, here(), s.asked, 0, population)
        if self.private is not None and self.phase == "open":
            # However few have answered: whether a round counts must not depend on what one device sends.
            return Closed(now) if not self.busy or now >= self.opened + s.deadline else None
        if self.phase == "waiting" and (opened := self._opened(now, here(), s.asked, s.fewest, population)) is not None:
            return opened
        if self.round is not None:
            if (group := self.round.due(now)) is not None:
                return Advanced(now, group)
            return self._ended(now) if self.round.over else None
        if len(self.taken) >= s.clients:
            return Closed(now)
        if s.mode == "buffered":
            late = [c for c, b in self.busy.items() if now >= b.at + s.deadline]
            if late:
                return Gone(min(late))
            want = s.asked - len(self.busy)
            if want > 0 and (opened := self._opened(now, here(), want, 1, population)) is not None:
                return opened
        few = len(self.taken) < s.least and s.mode == "buffered"
        if now < self.opened + s.deadline and (self.busy or few or self.phase == "waiting"):
            return None
        return self._ended(now)

    def _ended(self, now: float) -> Event:
        """A round that waits for nobody any more."""
        s = self.settings
        if len(self.taken) >= s.fewest:
            return Closed(now)
        if self.void >= s.patience:
            why = f"{self.void + 1} times in a row fewer than {s.fewest} devices answered in {s.deadline:g} s"
            return Stopped("; ".join([why, *([] if self.round is None else self.round.failed[:1])]))
        return Void(now)

    def latest(self) -> float:
        """When the last thing was that is known of: a clock that begins anew goes on from there."""
        stages = [] if self.round is None else [self.round.latest]
        return max([self.opened or 0.0, *(b.at for b in self.busy.values()), *(m.at for m in self.moved[-1:]), *stages])

    def deadline(self) -> float | None:
        """When :meth:`due` says something else though nothing has come."""
        if self.opened is None:
            return None
        if self.round is not None:
            return self.round.deadline()
        begun = [b.at for b in self.busy.values()] if self.settings.mode == "buffered" else []
        return min([self.opened, *begun]) + self.settings.deadline

    def seed(self, task: int) -> int:
        """Public, of a task: one seed for all of a round."""
        return mixed((self.settings.seed * 0x9E3779B97F4A7C15 + task + 1) & WORD)

    def is_whole(self, part: str) -> bool:
        return not part or self.covers[part].is_whole

    def part(self, name: str) -> Layout:
        return self.covers[name].part if name else self.whole

    def where(self, part: str, task: int) -> npt.NDArray[np.int64] | None:
        """int64: the places in the whole vector that a device of that part has in a task; None: all."""
        return None if self.is_whole(part) else self.covers[part].at(task).where

    def window(self, part: str, task: int) -> int:
        """Which of the elements that a part may have it has in a task; 0 of one that does not change."""
        return 0 if self.is_whole(part) else task % self.covers[part].period

    @property
    def digest(self) -> Mapping[str, str]:
        """Of the model and its parts: what a change means."""
        return {"layout": self.whole.digest, "covers": digest(sorted((n, c.digest) for n, c in self.covers.items()))}

    def body(self, part: str, task: int, have: int) -> tuple[int, bytes]:
        """(base, bytes) of what a device that keeps version ``have`` is to be sent for its task; of SCAFFOLD with the
        control variate behind it."""
        where = self.where(part, task)
        if where is None:
            base, body = self.shown.body(have)
        else:
            base, body = -1, self.shown.vector[where].astype("<f4").tobytes()
        if self.control is not None:
            body += (self.control if where is None else self.control[where]).astype("<f4").tobytes()
        return base, body

    @property
    def statement(self) -> Mapping[str, Any]:
        """What the run promises to whoever learns in it, to be kept with the model; nothing where it adds no noise."""
        if self.shared is not None:
            return self.shared.privacy.statement(self.shared.spent(self.next_task))
        return {} if self.private is None else self.private.privacy.statement(self.private.spent(self.version))

    # -- what has happened ------------------------------------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Raises ``Beyond``, and nothing has changed, for a :class:`Taken` of numbers that are too large."""
        if isinstance(event, Taken):
            self._take(event)
        elif isinstance(event, Opened):
            if self.phase == "waiting":
                self.opened = event.at
            self.phase, self.population = "open", event.population
            for client, part in event.asked.items():
                self.busy[client] = Busy(self.next_task, self.version, part, event.at)
            if self.settings.masked is not None:
                self._begin_masked(event)
            self.next_task += 1
        elif isinstance(event, Gone):
            self.busy.pop(event.client, None)
            if self.round is not None:
                self.round.lose(event.client)
                if event.lie:
                    self.blame.lied(event.client, event.lie)
                if self.round.are_together(event.client, event.of):
                    self.blame.accused(event.client, event.of)
        elif isinstance(event, Said):
            assert self.round is not None, "it answers to a stage"
            self.round.put(event.client, event.answer)
            del self.busy[event.client]
        elif isinstance(event, Advanced):
            self._advance(event)
        elif isinstance(event, Closed):
            self._close(event.at)
        elif isinstance(event, Began):
            self.opened = event.at
        elif isinstance(event, Void):
            self.void += 1
            if self.settings.mode == "rounds":
                self._empty()
                self.phase = "waiting"
            self.opened = event.at
        else:
            self.phase, self.why = "stopped", event.why

    def _opened(self, now: float, here: Mapping[str, str], want: int, least: int, population: int) -> Opened | None:
        # Buffered, a device has one vote in each move: a fast one does not stand for all.
        out = self.left_out
        able = [c for c in here if not (c in self.busy or c in self.taken or c in out)]
        if self.settings.masked is not None and (few := self.settings.masked.fewest - len(able)) > 0:
            # Without them there is no round at all; with those that quarrel there may be one, the least blamed first.
            able += [c for c in reversed(list(out)) if c in here and c not in self.blame.lies][:few]
        free = names(able)
        if len(free) < least:
            return None
        return Opened(now, {c: here[c] for c in self._drawn(free, want)}, population or len(here))

    @property
    def left_out(self) -> Mapping[str, str]:
        """Devices that are asked no more, and why: they have ended masked rounds of theirs."""
        return self.blame.out()

    def _drawn(self, free: Names, count: int) -> list[str]:
        if self.private is not None:
            lots = self.private.cohort(
                [name.decode() for name in free], bytes.fromhex(self.secret), self.run, self.next_task
            )
            if lots is not None:
                return lots
        words = Draws(self.seed(self.next_task)).words(len(free))
        return [free[i].decode() for i in np.sort(np.argsort(words, kind="stable")[:count])]

    def check(self, event: Taken) -> tuple[int, int, float, float]:
        """What the change weighs in the sum, what the sum is divided by for it, and the largest magnitudes of it and of
        the control variate. Raises ``Beyond`` for one that :meth:`apply` would not take."""
        weight, of = self._weighs(event)
        largest, control = self._sum.check(self._counts(event), weight, of), 0.0
        if self._controls is not None and event.control is not None:
            control = self._controls.check(event.control, 1)
        return weight, of, largest, control

    def _counts(self, event: Taken) -> npt.NDArray[Any]:
        """The change as it goes into the sum."""
        return event.change if self.private is None else self.private.taken(event.change)

    def _weighs(self, event: Taken) -> tuple[int, int]:
        s, weight = self.settings, event.weight
        if s.privacy is not None:
            return 1, 1
        if weight > s.heaviest:
            raise Beyond(f"it says {weight:,} samples, where a device may have {s.heaviest:,}")
        if s.mode == "rounds":
            return weight, weight
        age, of = self.version - self.busy[event.client].version, FADED * weight
        return max(1, round(of * (1 + age) ** -s.fade)), of

    def _begin_masked(self, event: Opened) -> None:
        s, task = self.settings, self.next_task
        assert s.masked is not None
        self.round = MaskedRound(
            s, self.run, task, self.seed(task), self.step, self._share, self.whole.size, self._parts(task), self.rules,
            self._marks,
        )  # fmt: skip
        self.round.begin(
            event.at, event.asked, event.keys, event.certificates, lambda part: self._shown(part, task), self._summed,
            self.void < AGAIN,
        )  # fmt: skip
        waiting = self.round.all_waiting()
        self.busy = {c: b for c, b in self.busy.items() if c in waiting}

    def _advance(self, event: Advanced) -> None:
        """Who is waited for at the next stage of a group is busy; who has missed one is not."""
        assert self.round is not None
        members = self.round.members(event.group)
        for client in members:
            self.busy.pop(client, None)
        unmasking = self.round.stage(members[0]) == STAGES[-1]
        self.round.advance(event.group, event.at)
        if unmasking:  # whether that came to a sum or not: its members cannot know
            self._summed = [*self._summed, self.round.survivors(event.group)][-SUMMED:]
        self._judge(event.group)
        part = self.round.part(event.group)
        for client in self.round.waiting(event.group):
            self.busy[client] = Busy(self.round.task, self.version, part, event.at)
        self.taken = dict.fromkeys(sorted(self.round.taken), self.round.task)

    def _judge(self, group: int) -> None:
        """Of a group that has failed: who is to blame."""
        assert self.round is not None
        false, sure, how = self.round.false(group)
        for client in false:
            (self.blame.lied if sure else self.blame.doubted)(client, how)

    def _parts(self, task: int) -> Parts:
        return lambda part: (self.where(part, task), self.window(part, task))

    @property
    def _share(self) -> float:
        """Of all elements, those that are in the sum of a masked round."""
        assert self.settings.masked is not None
        share = share_of(codec(self.settings.up), self.settings.masked.bits)
        assert share is not None, "such settings are refused"
        return share

    def _shown(self, part: str, task: int) -> Vector:
        """float32: what a device of that part has to begin with."""
        where = self.where(part, task)
        return self.shown.vector if where is None else self.shown.vector[where]

    def _take(self, event: Taken) -> None:
        (weight, of, largest, control), busy = self.check(event), self.busy[event.client]
        where, s = self.where(busy.part, busy.task), self.settings
        if s.rule == "mean":
            self._sum.put(self._counts(event), weight, largest, where, of)
            if self._controls is not None and event.control is not None:
                self._controls.put(event.control, 1, control, where)
        else:
            self._held.append((event.client, event.change))
        if s.privacy is None:  # else nobody's loss is told
            self._loss = self._loss[0] + event.weight * event.loss, self._loss[1] + event.weight
        self.taken[event.client] = event.task
        del self.busy[event.client]

    def _close(self, at: float) -> None:
        s = self.settings
        failed: tuple[str, ...] = ()
        if self.round is not None:
            change, failed = self.round.mean(), self.round.failed
            assert s.masked is not None
            largest = s.bound / ((1 << (s.masked.bits - 1)) - 1)
            if self.shared is None:  # else what was cut is told by nobody
                self.step = next_step(self.step, self.round.clipped, self.round.values, largest)
            self._loss = self.round.loss, 1
        elif self.private is not None:
            change = self.private.mean(self._sum, bytes.fromhex(self.secret), self.run, self.version)
        elif s.rule == "mean":
            change = self._sum.mean()
        else:
            changes = np.stack([c for _, c in sorted(self._held, key=lambda held: held[0])])
            change = rule(s.rule, s.robust)(changes)
        s.optimizer.step(self.model, change, self._optimizer)
        if self.control is not None and self._controls is not None and self._controls.weight:
            # c <- c + |S| / N times the mean over S (algorithm 1 there, line 17).
            self.control += self._controls.mean() * (self._controls.weight / max(self.population, 1))
        loss = self._loss[0] / max(self._loss[1], 1)
        self.last.update(self.taken)
        self._summed.clear()
        self.shown.move(self.model)
        self.moved.append(Moved(self.version, at, len(self.taken), loss, failed))
        self._empty()
        self.void = 0
        self.opened = at
        if self.version >= s.rounds:
            self.phase = "done"
            self.busy.clear()
        elif s.mode == "rounds":
            self.phase = "waiting"

    def _empty(self) -> None:
        """Begin another round: who has not answered is free again, unless answers may be old."""
        s = self.settings
        self._sum = FixedSum(self.whole.size, s.bound, self._sum.most)
        if self._controls is not None:
            self._controls = FixedSum(self.whole.size, s.bound, s.weights)
        self._held, self._loss = [], (0.0, 0)
        if self.round is not None:
            self._marks.add(self.round.marks, self.round.task)
        self.taken, self.round = {}, None
        if s.mode == "rounds":
            self.busy = {}

    # -- state ------------------------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """All that events have made, as (what JSON has, arrays)."""
        head: dict[str, Any] = {
            "run": self.run, "phase": self.phase, "why": self.why, "opened": self.opened, "void": self.void,
            "next_task": self.next_task, "population": self.population, "taken": self.taken,
            "busy": {c: [b.task, b.version, b.part, b.at] for c, b in self.busy.items()}, "loss": list(self._loss),
            "moved": [[m.version, m.at, m.changes, m.loss, *[list(m.failed)][: bool(m.failed)]] for m in self.moved],
            "held": [c for c, _ in self._held],
        }  # fmt: skip
        if self.private is not None:
            head["secret"] = self.secret
        arrays: dict[str, npt.NDArray[Any]] = {"model": self.model}
        parts: dict[str, Arrays] = {
            "sum": self._sum.state_dict(), "shown": self.shown.state_dict(), "optimizer": self._optimizer,
            "held": {str(i): c for i, (_, c) in enumerate(self._held)}, "last": self.last.state_dict(),
        }  # fmt: skip
        if self.control is not None and self._controls is not None:
            arrays["control"] = self.control
            parts["controls"] = self._controls.state_dict()
        if self.settings.masked is not None:
            head["step"], head["blame"], parts["seen"] = self.step, self.blame.state(), self._marks.state()
            head["summed"] = [list(one) for one in self._summed]
        if self.round is not None:
            head["round"], parts["round"] = self.round.state()
        return head, arrays | {f"{part}/{n}": a for part, found in parts.items() for n, a in found.items()}

    def load(self, head: Mapping[str, Any], arrays: Arrays) -> None:
        def of(part: str) -> dict[str, npt.NDArray[Any]]:
            return {n.removeprefix(f"{part}/"): a for n, a in arrays.items() if n.startswith(f"{part}/")}

        self.run, self.secret = head["run"], head.get("secret", "")
        self.phase, self.why, self.opened, self.void = head["phase"], head["why"], head["opened"], head["void"]
        self.next_task, self.population = head["next_task"], head["population"]
        # A journal of before there were arrays of it has it in the head.
        self.taken, last = dict(head["taken"]), of("last")
        self.last = Tally.of(last) if last else Tally(head["last"])
        self.busy = {c: Busy(*b) for c, b in head["busy"].items()}
        self._loss = head["loss"][0], head["loss"][1]
        self.moved = [Moved(*m[:4], *map(tuple, m[4:])) for m in head["moved"]]
        self.model = arrays["model"].copy()
        self._sum.load_state_dict(of("sum"))
        self.shown.load_state_dict(of("shown"))
        self._optimizer = {n: a.copy() for n, a in of("optimizer").items()}
        self.step, task = head.get("step", 0.0), self.next_task - 1
        if "blame" in head:
            self.blame, self._marks = Blame.of(head["blame"]), Marks.of(of("seen"))
            self._summed = [tuple(one) for one in head.get("summed", ())]
        if "round" in head:
            self.round = MaskedRound.of(
                head["round"], of("round"), self.settings, self._share, self._parts(task), self.rules, self._marks
            )
        held = of("held")
        self._held = [(client, held[str(i)]) for i, client in enumerate(head["held"])]
        if self.control is not None and self._controls is not None:
            self.control = arrays["control"].copy()
            self._controls.load_state_dict(of("controls"))
