"""A masked round under way: its groups, each at its own stage, and what those that came to the end have added up."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from math import ceil
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from .codec.codec import Vector
from .codec.masked import LOSS, Maskable
from .codec.noised import Noised
from .federation import Federation
from .masked import FEWEST
from .masking import wire
from .masking.apart import resting
from .masking.group import Group
from .masking.learnt import learnt
from .masking.split import groups
from .masking.terms import STAGES, Terms
from .privacy.shared import Shared

Arrays = dict[str, npt.NDArray[Any]]
Places = npt.NDArray[np.int64]
Parts = Callable[[str], tuple[Places | None, int]]  # of a part: where its elements are, and its window
ENDED = ("done", "failed")


@dataclass(slots=True)
class _Under:
    """A group. ``at``: when its stage began; ``asked``: members, at this stage. ``failed``: why, "" while it has
    not."""

    part: str
    members: tuple[str, ...]
    at: float
    group: Group | None = None
    asked: int = 0
    failed: str = ""

    @property
    def stage(self) -> str:
        return self.group.stage if self.group is not None else "failed"

    @property
    def ended(self) -> bool:
        return self.stage in ENDED

    @property
    def waiting(self) -> set[str]:
        return set() if self.group is None else self.group.waiting


class MaskedRound:
    """Of ``task`` of ``run``. part: device -> its part of the model; keys, certificates: device -> its public key, and
    what it is to show to others, in hexadecimal. show: of a part, what its devices are sent, float32; where: of a part,
    the places of its elements in the whole vector, None for all. step: of values. rules: what devices were invited to,
    by :func:`.invitation.rules`. seen: round keys of earlier rounds.

    ``total``: int64 [size], the sum of what all devices said of each element, in steps; ``counts``: of how many. Both
    are of groups that are done, whatever their order; ``taken``: their members whose values are in it.
    """

    def __init__(
        self, settings: Federation, run: str, task: int, seed: int, step: float, share: float, size: int,
        of: Parts, rules: str = "", seen: Mapping[bytes, int] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        assert settings.masked is not None
        self._settings, self._masked, self._of_part = settings, settings.masked, of
        self._rules, self._seen = rules, seen
        self._shared: Shared | None = None
        if settings.privacy is not None and settings.privacy.where == "distributed":
            self._shared = Shared(settings.privacy, settings.masked, size, share, settings.asked)
        self.run, self.task, self._seed, self._step, self._share = run, task, seed, step, share
        self.total, self.counts = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self.taken: tuple[str, ...] = ()
        self.clipped = self.values = self._loss = 0
        self._keys: dict[str, str] = {}
        self._certificates: dict[str, str] = {}
        self._under: list[_Under] = []
        self._of: dict[str, int] = {}  # device -> its group

    def begin(
        self, at: float, part: Mapping[str, str], keys: Mapping[str, str], certificates: Mapping[str, str],
        show: Callable[[str], Vector], summed: Collection[Collection[str]] = (), same: bool = True,
    ) -> None:  # fmt: skip
        """summed: of which members there may be sums of the model that is shown. Where a group's would be too near one
        of these for its members to agree to it, some rest, as if they were lost from the beginning. same: whether it
        may be of the same members as one of these."""
        m, self._keys, self._certificates = self._masked, dict(keys), dict(certificates)
        for name in sorted(set(part.values())):
            cohort = [c for c, p in part.items() if p == name]
            model = show(name)
            digest = hashlib.sha256(model.astype("<f4").tobytes()).hexdigest()
            dealt = groups(cohort, f"{self.run} {self.task}", m.group) if len(cohort) >= m.fewest else [tuple(cohort)]
            for members in dealt:
                under, number = _Under(name, members, at), len(self._under)
                if len(members) < m.fewest:
                    under.failed = f"{len(members)} members, and {m.fewest} are the least"
                else:
                    needed, codec = m.needed(len(members)), self.codec(len(model), len(members))
                    # What is learnt, too: else others could be asked for nothing, and the sum be one member's.
                    said = f"{codec} {learnt(self._settings.local, self._of_part(name)[1])}"
                    terms = Terms(
                        self.run, self.task, number, members, needed, codec.size, m.bits, digest, said, m.covered,
                        m.fewest, self._rules,
                    )  # fmt: skip
                    under.group = self._group(terms)
                    for client in resting(members, summed, same):
                        under.group.lose(client)
                    under.asked = len(under.group.waiting)
                self._under.append(under)
                self._of |= dict.fromkeys(members, number)

    def codec(self, elements: int, members: int) -> Maskable | Noised:
        """Of a part of so many elements, and a group of so many."""
        if self._shared is not None:
            return self._shared.codec(members, self._seed)
        return Maskable(elements, self._share, self._masked.bits, self._step, self._seed)

    def _group(self, terms: Terms) -> Group:
        def of(texts: Mapping[str, str]) -> dict[str, bytes]:
            return {c: bytes.fromhex(texts[c]) for c in terms.cohort if c in texts}

        return Group(terms, of(self._keys), of(self._certificates), self._seen, self._masked.demands)

    # -- what is next -----------------------------------------------------------------------------------------------

    def due(self, now: float) -> int | None:
        """The group whose stage is over: all have answered, or enough of those that were asked beyond, or its time
        is."""
        for number, under in enumerate(self._under):
            if not under.ended and (not under.waiting or self._enough(under) or now >= self._end(under)):
                return number
        return None

    def deadline(self) -> float:
        """When the next stage is over though nothing has come; never, where no group is under way."""
        return min((self._end(under) for under in self._under if not under.ended), default=float("inf"))

    @property
    def over(self) -> bool:
        return all(under.ended for under in self._under)

    def _end(self, under: _Under) -> float:
        return under.at + (self._settings.deadline if under.stage == "input" else self._masked.stage)

    def _enough(self, under: _Under) -> bool:
        """Of a round that asks more devices than it needs: the first answers of those that learn."""
        if under.stage != "input" or self._settings.over == 1 or under.group is None:
            return False
        wanted = max(under.group.terms.threshold, ceil(len(under.members) / self._settings.over))
        return under.asked - len(under.group.waiting) >= wanted

    # -- what a device is asked, and what it says --------------------------------------------------------------------

    def waiting(self, number: int) -> set[str]:
        """Members of a group that have been asked and have not answered."""
        return self._under[number].waiting

    def all_waiting(self) -> set[str]:
        return set().union(*(under.waiting for under in self._under))

    def members(self, number: int) -> tuple[str, ...]:
        return self._under[number].members

    def survivors(self, number: int) -> tuple[str, ...]:
        """Whose inputs are in the sum of a group; nobody, before that is known."""
        group = self._under[number].group
        return () if group is None else group.alive

    def part(self, number: int) -> str:
        return self._under[number].part

    @property
    def latest(self) -> float:
        """When a stage began last."""
        return max(under.at for under in self._under)

    def stage(self, client: str) -> str:
        """At which ``client``'s group is; "" for who is in none."""
        return self._under[self._of[client]].stage if client in self._of else ""

    def ask(self, client: str) -> tuple[Terms, bytes]:
        group = self._under[self._of[client]].group
        assert group is not None, "who waits is in a group"
        return group.terms, group.ask(client)

    def put(self, client: str, answer: bytes) -> None:
        """The same again changes nothing. Raises ``Refused``, and nothing has changed, for what is no such answer."""
        group = self._under[self._of[client]].group
        assert group is not None, "who waits is in a group"
        group.put(client, answer)

    def lose(self, client: str) -> None:
        under = self._under[self._of[client]]
        if under.group is not None and not under.ended:
            under.group.lose(client)

    def again(self, now: float) -> None:
        """The server was away, which makes no device late: every stage has its time from now on."""
        for under in self._under:
            under.at = max(under.at, now)

    def advance(self, number: int, at: float) -> None:
        """The next stage of a group, or its end."""
        under = self._under[number]
        assert under.group is not None, "a group that has begun"
        under.group.advance()
        under.at = at
        if under.stage == "failed":
            under.failed = under.group.why
        elif under.stage == "done":
            self._add(under)
        else:
            under.asked = len(under.group.waiting)

    def _add(self, under: _Under) -> None:
        assert under.group is not None, "a group that is done"
        total, survivors = under.group.total()
        where, _ = self._of_part(under.part)
        codec = self.codec(len(self.total) if where is None else len(where), len(under.members))
        told = codec.decode(total)
        places = codec.places if where is None else where[codec.places]
        self.total[places] += told.values
        self.counts[places] += len(survivors)
        self.clipped += told.clipped
        self.values += len(told.values) * len(survivors)
        self._loss += told.loss
        self.taken += survivors

    def are_together(self, one: str, other: str) -> bool:
        """Whether they are in one group."""
        return one in self._of and self._of.get(other, -1) == self._of[one]

    def false(self, number: int) -> tuple[tuple[str, ...], bool, str]:
        """Of a group that has failed: :attr:`Group.false`, :attr:`Group.sure`, and how."""
        under = self._under[number]
        assert under.group is not None, "a group that has begun"
        return under.group.false, under.group.sure, f"in task {self.task} {under.failed}"

    @property
    def marks(self) -> set[bytes]:
        """Of all round keys."""
        return set().union(*(under.group.marks for under in self._under if under.group is not None))

    # -- what came of it --------------------------------------------------------------------------------------------

    def mean(self) -> npt.NDArray[np.float64]:
        """float64 [size]: of each element over those who said something of it; 0 where nobody did."""
        return np.asarray(self.total * self._step / np.maximum(self.counts, 1))

    @property
    def loss(self) -> float:
        """The mean of all whose values are in the sum."""
        return self._loss * 2.0**-LOSS / max(len(self.taken), 1)

    @property
    def failed(self) -> tuple[str, ...]:
        """Each group that was dropped, and why."""
        return tuple(f"group {i} of task {self.task}: {u.failed}" for i, u in enumerate(self._under) if u.failed)

    def __str__(self) -> str:
        """How it stands: the groups at each stage, and how many members have answered there."""
        found = []
        for stage in (*STAGES, *ENDED):
            at = [u for u in self._under if u.stage == stage]
            if at and stage in ENDED:
                found.append(f"{len(at)} {stage}")
            elif at:
                asked = sum(u.asked for u in at)
                found.append(f"{stage} {asked - sum(len(u.waiting) for u in at)} of {asked}")
        return ", ".join(found)

    # -- state ------------------------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Any], Arrays]:
        arrays: Arrays = {"total": self.total.copy(), "counts": self.counts.copy()}
        under = []
        for i, u in enumerate(self._under):
            head: dict[str, Any] = {
                "part": u.part, "members": list(u.members), "at": u.at, "asked": u.asked, "failed": u.failed,
                "terms": None,
            }  # fmt: skip
            if u.group is not None:
                made, found = u.group.state()
                head |= {"terms": u.group.terms.to_json(), "group": made}
                arrays |= {f"{i}/{n}": a for n, a in found.items()}
            under.append(head)
        return {
            "run": self.run, "task": self.task, "seed": self._seed, "step": self._step, "keys": self._keys,
            "certificates": self._certificates,
            "taken": list(self.taken), "clipped": self.clipped, "values": self.values, "loss": self._loss,
            "under": under,
        }, arrays  # fmt: skip

    @classmethod
    def of(
        cls, head: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], settings: Federation, share: float,
        of: Parts, rules: str = "", seen: Mapping[bytes, int] = MappingProxyType({}),
    ) -> MaskedRound:  # fmt: skip
        """Go on from :meth:`state`."""
        size = len(arrays["total"])
        made = cls(settings, head["run"], head["task"], head["seed"], head["step"], share, size, of, rules, seen)
        made.total, made.counts, made._keys = arrays["total"].copy(), arrays["counts"].copy(), dict(head["keys"])
        made._certificates = dict(head["certificates"])
        made.taken, made.clipped = tuple(head["taken"]), head["clipped"]
        made.values, made._loss = head["values"], head["loss"]
        for i, u in enumerate(head["under"]):
            under = _Under(u["part"], tuple(u["members"]), u["at"], None, u["asked"], u["failed"])
            if u["terms"] is not None:
                under.group = made._group(Terms.of_json(u["terms"]))
                begins = f"{i}/"
                found = {n.removeprefix(begins): a for n, a in arrays.items() if n.startswith(begins)}
                under.group.load(u["group"], found)
            made._under.append(under)
            made._of |= dict.fromkeys(under.members, i)
        return made


def _largest(settings: Federation, size: int) -> Terms:
    """Terms that no group of a run exceeds, of a model of ``size`` elements."""
    m = settings.masked
    assert m is not None
    cohort = tuple(f"{i:064}" for i in range(max(FEWEST, min(m.group, settings.asked))))
    values = Maskable(size, 1.0, m.bits, 1.0, 0).size
    return Terms("run", 0, 0, cohort, m.needed(len(cohort)), values, m.bits, "0" * 64, "codec")


def most_said(settings: Federation, size: int) -> int:
    """Bytes that no answer to a stage exceeds."""
    terms = _largest(settings, size)
    return max(wire.most_answer(stage, terms) for stage in STAGES)


def most_asked(settings: Federation, size: int) -> int:
    """Bytes that no ask exceeds, besides the model."""
    terms = _largest(settings, size)
    return max(wire.most_ask(stage, terms) for stage in STAGES) + 2 * len(terms.to_json())


def most_state(settings: Federation, size: int) -> int:
    """Bytes that the state of no round exceeds: of each group a sum, and what its members have answered but for
    that."""
    terms = _largest(settings, size)
    each = 2 * sum(wire.most_answer(stage, terms) for stage in STAGES if stage != "input") + 256
    count = -(-settings.asked // len(terms.cohort)) + 1
    return 16 * size + count * (8 * terms.size + len(terms.cohort) * each + (1 << 14))
