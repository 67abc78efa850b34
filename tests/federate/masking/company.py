"""Members of a group with real keys and values, an honest round of them, and a server that is not honest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from selvedge.federate.keys import SIGNATURE, Key
from selvedge.federate.masking import agreement, ring, stream, wire
from selvedge.federate.masking.agreement import SEED
from selvedge.federate.masking.demands import Demands
from selvedge.federate.masking.group import Group
from selvedge.federate.masking.member import Member
from selvedge.federate.masking.sealed import SEALED, opened
from selvedge.federate.masking.shares import Recovery
from selvedge.federate.masking.terms import STAGES, Terms
from selvedge.federate.masking.threshold import majority

MODEL = "ab" * 32


def terms(n: int, threshold: int | None = None, **other: Any) -> Terms:
    given = {
        "run": "a run/1", "task": 0, "group": 0, "cohort": tuple(f"device {i:03}" for i in range(n)),
        "threshold": majority(n) if threshold is None else threshold, "size": 33, "bits": 8, "model": MODEL,
        "codec": "int8 of 0.01",
    }  # fmt: skip
    return Terms(**{**given, **other})


@dataclass
class Company:
    """``trust``: what members are given, by name; where it stays, an identity's own public key."""

    terms: Terms
    seed: int = 0
    demands: Demands | None = None
    members: dict[str, Member] = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        t = self.terms
        self.keys = {name: Key(rng.bytes(32)) for name in t.cohort}
        self.public = {name: key.public for name, key in self.keys.items()}
        self.members = {
            n: Member(n, k, lambda who, _: self.public[who], b"", self.demands) for n, k in self.keys.items()
        }
        half = 1 << t.bits - 1
        self.values = {name: rng.integers(-half, half, t.size).astype(np.int32) for name in t.cohort}

    def sum(self, names: Iterable[str]) -> Any:
        return np.sum([self.values[name].astype(np.int64) for name in names], axis=0)

    def answer(self, name: str, stage: str, ask: bytes, told: Terms | None = None, values: Any = None) -> bytes:
        given = self.values[name] if values is None else values
        return self.members[name].answer(stage, told or self.terms, ask, given if stage == "input" else None)


def carried(company: Company, lost: Mapping[str, Collection[str]] | None = None, told: Terms | None = None) -> Group:
    """A round to its end; ``lost``: at which stage who no longer answers."""
    told = told or company.terms
    group, gone = Group(told, company.public), set[str]()
    for stage in STAGES:
        if group.stage != stage:
            break
        gone |= set((lost or {}).get(stage, ()))
        for name in sorted(group.waiting - gone):
            group.put(name, company.answer(name, stage, group.ask(name), told))
        group.advance()
    return group


@dataclass
class Crook:
    """A server that asks each member what it likes, and does with the answers what it can. Nothing of a member is known
    to it but what it said. ``told``: the terms of those that are told others."""

    company: Company
    told: Mapping[str, Terms] = field(default_factory=dict)
    keys: dict[str, bytes] = field(default_factory=dict)
    listed: dict[str, list[bytes]] = field(default_factory=dict)
    sealed: dict[str, bytes] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    shared: dict[str, tuple[int, ...]] = field(default_factory=dict)
    of_own: dict[int, dict[int, bytes]] = field(default_factory=dict)  # whose seed -> from whom -> share
    of_mask: dict[int, dict[int, bytes]] = field(default_factory=dict)

    def ask(self, name: str, stage: str, content: bytes = b"", values: Any = None) -> bytes:
        told = self.told.get(name, self.company.terms)
        ask = wire.head(stage, told.digest, False) + content
        return wire.body(self.company.answer(name, stage, ask, told, values), stage, told, True)

    def begin(self, names: Iterable[str]) -> None:
        """Keys of ``names``, shown to all of them."""
        for name in names:
            told = self.told.get(name, self.company.terms)
            self.keys[name] = wire.head("keys", told.digest, True) + self.ask(name, "keys")
        self.share(list(self.keys), list(self.keys.values()))

    def share(self, names: Iterable[str], answers: list[bytes]) -> None:
        for name in names:
            self.listed[name] = answers
            self.sealed[name] = self.ask(name, "shares", wire.listed(answers))

    def place(self, name: str) -> int:
        return self.company.terms.index(name)

    def set(self, names: Iterable[str]) -> bytes:
        return wire.packed_set(map(self.place, names), self.company.terms)

    def input(
        self, name: str, among: Collection[str], pairs: Mapping[str, bytes] | None = None, values: Any = None
    ) -> Any:
        """``among``: who shared, as ``name`` is told; ``pairs``: sealed shares of the server's own making."""
        told = self.told.get(name, self.company.terms)
        others = [other for other in sorted(among) if other != name]
        sent = b"".join((pairs or {}).get(other) or self.sealed_for(other, name) for other in others)
        content = self.ask(name, "input", self.set(among) + sent, values)
        total = np.zeros(told.size, ring.word(told.width))
        ring.add(total, content[:-SIGNATURE], told.width)
        self.inputs[name] = total
        self.shared[name] = tuple(map(self.place, sorted(among)))
        return total

    def sealed_for(self, sender: str, receiver: str) -> bytes:
        """Out of what ``sender`` sealed, in the order of the members that it was shown."""
        shown = [wire.keys_of(answer, self.company.terms).place for answer in self.listed[sender]]
        at = SEALED * [p for p in shown if p != self.place(sender)].index(self.place(receiver))
        return self.sealed[sender][at : at + SEALED]

    def consent(self, name: str, alive: Iterable[str]) -> bytes:
        return self.ask(name, "consent", self.set(alive))

    def unmask(self, name: str, alive: Collection[str], signatures: Mapping[str, bytes]) -> None:
        signed = b"".join(signatures[who] for who in sorted(signatures))
        content = self.ask(name, "unmask", self.set(alive) + self.set(signatures) + signed)
        for at, place in enumerate(self.shared[name]):
            share = content[at * SEED : (at + 1) * SEED]
            kept = self.of_own if self.company.terms.cohort[place] in alive else self.of_mask
            kept.setdefault(place, {})[self.place(name)] = share

    def seed(self, shares: Mapping[int, Mapping[int, bytes]], place: int) -> bytes:
        """Raises ``AssertionError`` where there are fewer shares than it takes."""
        need, had = self.company.terms.threshold, shares.get(place, {})
        assert len(had) >= need, f"{len(had)} shares of {place} where {need} are needed"
        chosen = sorted(had)[:need]
        return Recovery(chosen).secret(np.array([list(had[i]) for i in chosen], np.uint8))

    def stripped(self, name: str, mask: bytes, own: bytes, keys: Mapping[int, bytes] | None = None) -> Any:
        """The values of ``name``, by the seeds of both its masks. keys: the mask keys it was shown, by place, where not
        the members' own."""
        me, told = self.place(name), self.company.terms
        shown = {k.place: k.mask for k in (wire.keys_of(a, told) for a in self.listed[name])} | dict(keys or {})
        secret, total = agreement.mask_secret(mask), self.inputs[name].copy()
        pairwise = [(agreement.between(secret, shown[j], me, j), j < me) for j in self.shared[name] if j != me]
        stream.mask(total, [(agreement.own_mask(own), False), *pairwise])
        return ring.signed(total, told.width)

    def stolen(self, name: str) -> Any:
        """The values of ``name``, out of the shares of both its seeds that came."""
        place = self.place(name)
        return self.stripped(name, self.seed(self.of_mask, place), self.seed(self.of_own, place))


def pairs_of(crook: Crook, victim: str, secrets: Mapping[str, bytes]) -> dict[int, bytes]:
    """What ``victim`` sealed for members whose channel secrets the server has: place -> both shares."""
    place = crook.place(victim)
    channel = wire.keys_of(crook.keys[victim], crook.company.terms).channel
    return {
        crook.place(other): opened(secret, channel, place, crook.place(other), crook.sealed_for(victim, other))
        for other, secret in secrets.items()
    }


def nothing(*_: Any, **__: Any) -> None:
    """In the place of a check that a copy of the protocol does not have."""
