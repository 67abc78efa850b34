"""Rounds of masked sums under faults by lot, by books that are not the protocol's.

Members are lost, asks and answers are dropped, doubled, put in another order and changed, members and the server end
and begin again from what they kept, or a member from nothing. Whatever happens, a round ends: with the exact sum of
those whose input was taken, or "failed" and why; and nobody has said enough to unmask one member alone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from selvedge.federate.keys import Key
from selvedge.federate.masking import wire
from selvedge.federate.masking.agreement import SEED
from selvedge.federate.masking.demands import Demands
from selvedge.federate.masking.group import Group
from selvedge.federate.masking.member import Member
from selvedge.federate.masking.terms import STAGES, Terms
from selvedge.federate.masking.threshold import majority, two_thirds
from selvedge.federate.message import Refused

SCHEDULES = 1200
KINDS = ("calm", "lossy", "corrupt", "crashing", "everything")


@dataclass
class Rates:
    """Chances: of a message to be dropped, doubled or changed; of a member to be lost before it answers, to begin again
    from what it kept, or from nothing; of the server to begin again."""

    drop: float = 0.0
    double: float = 0.1
    change: float = 0.0
    lost: float = 0.0
    again: float = 0.0
    blank: float = 0.0
    server: float = 0.0


RATES = {
    "calm": Rates(),
    "lossy": Rates(drop=0.05, lost=0.06),
    "corrupt": Rates(change=0.08),
    "crashing": Rates(again=0.3, blank=0.02, server=0.2),
    "everything": Rates(drop=0.02, change=0.02, lost=0.03, again=0.1, blank=0.01, server=0.1),
}


@dataclass
class Schedule:
    """A round whose faults ``seed`` draws; ``run`` is how it ended."""

    seed: int
    said: dict[int, dict[str, set[str]]] = field(default_factory=dict)  # place -> role -> who gave a share

    def __post_init__(self) -> None:
        self.rng = rng = np.random.default_rng(self.seed)
        n = int(rng.integers(3, 11)) if self.seed % 100 else 24
        colluders = bool(rng.integers(2))
        threshold = (two_thirds if colluders else majority)(n)
        self.demands = Demands(colluders=colluders)
        bits = int(rng.choice([1, 2, 4, 8, 12, 16, 28 if n <= 16 else 20]))
        names = tuple(sorted(f"device {i}" for i in range(n)))
        self.terms = Terms(
            "a run", self.seed, 0, names, threshold, int(rng.integers(1, 70)), bits, "0" * 64, f"int{bits}"
        )
        self.keys = {name: Key(rng.bytes(32)) for name in names}
        self.public = {name: key.public for name, key in self.keys.items()}
        self.members = {name: self.member(name) for name in names}
        half = 1 << bits - 1
        self.values = {name: rng.integers(-half, half, self.terms.size).astype(np.int32) for name in names}
        self.group = Group(self.terms, self.public)
        self.rates = RATES[KINDS[self.seed % len(KINDS)]]
        self.gone: set[str] = set()

    def member(self, name: str) -> Member:
        return Member(name, self.keys[name], lambda who, _: self.public[who], demands=self.demands)

    def by_lot(self, chance: float) -> bool:
        return bool(self.rng.random() < chance)

    def run(self) -> str:
        """``done``, or the stage that it failed in. Raises ``AssertionError`` for what must not be."""
        taken: set[str] = set()
        spoilt = False  # a share that was changed on its way was taken
        for stage in STAGES:
            assert self.group.stage == stage
            taken, changed = self.stage(stage)
            spoilt |= stage == "unmask" and changed
            if stage == "input":
                counted = set(taken)
            self.group.advance()
            few = len(taken) < self.terms.threshold
            assert self.group.stage != stage, "a round that does not go on"
            assert (self.group.stage == "failed") == few or (spoilt and not few), f"{stage}: {len(taken)} answered"
            if self.group.stage == "failed":
                self.unknown()
                assert stage in self.group.why, self.group.why
                return stage
        total, who = self.group.total()
        assert set(who) == counted, "other survivors than those whose input was taken"
        assert len(who) >= self.terms.threshold
        own = np.sum([self.values[name].astype(np.int64) for name in who], axis=0)
        np.testing.assert_array_equal(total, own)
        self.apart()
        return "done"

    def stage(self, stage: str) -> tuple[set[str], bool]:
        """One stage, until the clock says on: whose answer counts, and whether such a one was changed on its way."""
        taken, changed = set[str](), False
        waiting = sorted(self.group.waiting)
        posts: list[tuple[str, bytes | None]] = [(name, None) for name in waiting]  # an answer, or None: to be asked
        for _ in range(6 * len(waiting)):  # the clock
            if not posts:
                posts = [(name, None) for name in sorted(self.group.waiting - self.gone)]
            if not posts:
                break
            name, answer = posts.pop(int(self.rng.integers(len(posts))))
            if answer is None:
                posts += [(name, sent) for sent in self.asked(name, stage)]
                continue
            sent = self.changed(answer)
            try:
                self.group.put(name, sent)
            except Refused:
                continue
            changed |= sent != answer and name not in taken
            taken.add(name)
            if self.by_lot(self.rates.double):
                posts.append((name, answer))
            if self.by_lot(self.rates.server):
                self.server_again()
        return taken, changed

    def asked(self, name: str, stage: str) -> list[bytes]:
        """What the network has of the answer of ``name``."""
        if self.by_lot(self.rates.lost):
            self.gone.add(name)
        if name in self.gone or self.by_lot(self.rates.drop) or self.group.stage != stage:
            return []
        ask = self.changed(self.group.ask(name))
        try:
            answer = self.members[name].answer(stage, self.terms, ask, self.values[name] if stage == "input" else None)
        except Refused:
            if self.by_lot(0.5):
                self.group.lose(name)
                self.gone.add(name)
            return []
        kept = json.dumps(self.members[name].state())
        if stage == "unmask":
            self.note(name, ask, answer)
        if self.by_lot(self.rates.again):
            self.members[name] = self.member(name)
            self.members[name].load(json.loads(kept))
        elif self.by_lot(self.rates.blank):
            self.members[name] = self.member(name)
        copies = 0 if self.by_lot(self.rates.drop) else 2 if self.by_lot(self.rates.double) else 1
        return [answer] * copies

    def changed(self, data: bytes) -> bytes:
        if not self.by_lot(self.rates.change):
            return data
        way, at = int(self.rng.integers(4)), int(self.rng.integers(len(data)))
        if way == 0:
            return data[:at]
        if way == 1:
            return data + b"\0"
        return data[:at] + bytes([data[at] ^ 1 << int(self.rng.integers(8))]) + data[at + 1 :]

    def server_again(self) -> None:
        head, arrays = self.group.state()
        self.group = Group(self.terms, self.public)
        self.group.load(json.loads(json.dumps(head)), arrays)

    # -- what was said ----------------------------------------------------------------------------------------------

    def note(self, name: str, ask: bytes, answer: bytes) -> None:
        """Who gave which share: out of what was asked and what was answered."""
        head, size = len(wire.head("unmask", self.terms.digest, True)), wire.set_size(self.terms)
        alive = set(wire.set_of(ask[head : head + size], self.terms))
        shared = self.members[name].state()["round"]["shared"]
        assert len(answer) == head + SEED * len(shared)
        for place in shared:
            self.said.setdefault(place, {}).setdefault("own" if place in alive else "mask", set()).add(name)

    def apart(self) -> None:
        """Nobody's both seeds are known, whatever the network kept."""
        for place, roles in self.said.items():
            both = all(len(roles.get(role, ())) >= self.terms.threshold for role in ("own", "mask"))
            assert not both, f"{self.terms.cohort[place]} is bare"

    def unknown(self) -> None:
        """Nothing is told of a round that failed."""
        self.apart()
        try:
            self.group.total()
        except Refused as error:
            told = str(error)
        else:
            raise AssertionError("a sum of a round that failed")
        assert told == f"no sum: the group is failed ({self.group.why})"
        head, arrays = self.group.state()
        assert not arrays["sum"].size, "what was sent is still kept"
        assert not head["answered"], "what was sent is still kept"


def prove(seeds: Sequence[int] = range(SCHEDULES)) -> dict[str, Any]:
    """How they ended. Raises ``AssertionError`` with the seed of one that went wrong."""
    ended: Counter[str] = Counter()
    for seed in seeds:
        try:
            ended[Schedule(seed).run()] += 1
        except AssertionError as error:
            raise AssertionError(f"schedule {seed}: {error}") from error
    failed = {stage: ended[stage] for stage in STAGES if ended[stage]}
    return {"examples": len(seeds), "done": ended["done"], "failed": failed}
