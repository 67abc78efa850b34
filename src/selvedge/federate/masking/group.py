"""The server's side of one group: answers in, asks out, and at the end the sum of those that came through.

It never holds more than one sum, whatever the members are: a masked input is added when it comes.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..keys import SIGNATURE, signed
from ..message import Refused
from . import agreement, checks, ring, stream, wire
from .agreement import SEED
from .covering import thinnest
from .demands import Demands
from .past import carriers
from .ring import IntVector
from .sealed import SEALED
from .shares import Recovery
from .terms import STAGES, Terms

Arrays = Mapping[str, npt.NDArray[Any]]
LEAST_COVERED = 2
ATTEMPTS = 32  # at shares that fit together: of 90 members, where 51 are needed, three may say what is not so


class Group:
    """``public``: of each device of the cohort its Ed25519 key. ``certificates``: where given, what each must show to
    the others. ``seen``: :attr:`marks` of earlier groups, and the tasks that they were of. Whom the others would refuse
    - an old certificate, a round key that comes back, an identity of two names - is refused here, so that it does not
    stop them all. ``demands``: what they were promised, and hold the server to; None: what the terms say of it.

    ``stage``: "keys" to "unmask", then "done" or "failed"; ``why``: it failed, in a line. ``false``: members whose
    shares did not give back what they had committed to, where they are no more than may lie at all; ``sure``: though
    one more than it takes was there, and whoever of these is left out.
    """

    def __init__(
        self,
        terms: Terms,
        public: Mapping[str, bytes],
        certificates: Mapping[str, bytes] | None = None,
        seen: Mapping[bytes, int] = MappingProxyType({}),
        demands: Demands | None = None,
    ) -> None:
        self.terms, self._public, self._marks = terms, dict(public), seen
        self._covered = max(terms.covered, LEAST_COVERED if demands is None else demands.covered)
        self._least = max((demands or Demands(terms.least)).least, terms.covered)  # members that a sum is of
        self._certificates = dict(certificates or {})
        self.stage, self.why = "keys", ""
        self.false: tuple[str, ...] = ()
        self.sure = False
        self._asked: tuple[int, ...] = tuple(range(len(terms.cohort)))  # at this stage
        self._lost: set[int] = set()
        self._answers: dict[int, bytes] = {}  # of this stage; of an input, its SHA-256
        self._keys: dict[int, wire.Keys] = {}
        self._listed, self._seen = b"", b""  # what shares asks, and its SHA-256
        self._among: tuple[int, ...] = ()  # whom the shares of a sealed answer are for
        self._sealed: dict[int, bytes] = {}
        self._shared: tuple[int, ...] = ()
        self._alive: tuple[int, ...] = ()
        self._consents: dict[int, bytes] = {}
        self._sum = np.zeros(terms.size, ring.word(terms.width))
        self._total: IntVector | None = None

    # -- what members are asked, and what they answer ---------------------------------------------------------------

    @property
    def alive(self) -> tuple[str, ...]:
        """Whose inputs are in the sum; nobody, before that is known."""
        return tuple(self.terms.cohort[i] for i in self._alive)

    @property
    def waiting(self) -> set[str]:
        """Who was asked and has not answered."""
        if self.stage not in STAGES:
            return set()
        return {self.terms.cohort[i] for i in self._asked if i not in self._answers and i not in self._lost}

    def ask(self, name: str) -> bytes:
        """What ``name`` is asked at the present stage. Raises :class:`Refused` for who is not asked."""
        terms, me = self.terms, self._place(name)
        first = wire.head(self.stage, terms.digest, False)
        if self.stage == "keys":
            return first
        if self.stage == "shares":
            return first + self._listed
        if self.stage == "input":
            return first + b"".join((wire.packed_set(self._shared, terms), *self._for(me)))
        alive = wire.packed_set(self._alive, terms)
        if self.stage == "consent":
            return first + alive
        signers = sorted(self._consents)
        return first + b"".join((alive, wire.packed_set(signers, terms), *(self._consents[i] for i in signers)))

    def _for(self, me: int) -> Iterator[bytes]:
        mine = self._among.index(me)
        for place in self._shared:
            if place != me:
                at = SEALED * (mine - (place < me))  # its sender has none for itself
                yield self._sealed[place][at : at + SEALED]

    def _place(self, name: str) -> int:
        if self.stage not in STAGES:
            raise Refused(f"the group is {self.stage}")
        if (place := self.terms.index(name)) not in self._asked:
            raise Refused(f"{name} is not asked at the stage {self.stage}")
        return place

    def put(self, name: str, answer: bytes) -> None:
        """The answer of ``name`` at the present stage; the same again changes nothing.

        Raises :class:`Refused` for what is no such answer: the group is as it was.
        """
        terms, place = self.terms, self._place(name)
        kept = hashlib.sha256(answer).digest() if self.stage == "input" else bytes(answer)
        if (before := self._answers.get(place)) is not None:
            if before != kept:
                raise Refused(f"{name} answers {self.stage} again with something else")
            return
        if place in self._lost:
            raise Refused(f"{name} was given up")
        content = wire.body(answer, self.stage, terms, True)
        if wire.digest(answer) != terms.digest:
            raise Refused("of other terms")
        if self.stage == "keys":
            self._take_keys(place, answer)
        elif self.stage == "input":
            packed, signature = content[:-SIGNATURE], content[-SIGNATURE:]
            if not signed(wire.masked(terms, packed), signature, self._public[name]):
                raise Refused(f"an input that is not signed by {name}")
            ring.add(self._sum, packed, terms.width)
        elif self.stage == "consent":
            text = wire.agreed(terms, wire.view(self._seen, self._shared, terms), self._alive)
            if len(content) != SIGNATURE or not signed(text, content, self._public[name]):
                raise Refused(f"the survivors are not signed by {name}")
        else:
            due = SEALED * (len(self._asked) - 1) if self.stage == "shares" else SEED * len(self._shared)
            if len(content) != due:
                raise Refused(f"{self.stage}: {len(content):,} B where {due:,} are due")
        self._answers[place] = kept

    def _take_keys(self, place: int, answer: bytes) -> None:
        terms, name = self.terms, self.terms.cohort[place]
        keys = wire.keys_of(answer, terms)
        if keys.place != place or name not in self._public or not signed(
            keys.signed, keys.signature, self._public[name]
        ):  # fmt: skip
            raise Refused(f"round keys that are not signed by {name}")
        if self._certificates.get(name, keys.certificate) != keys.certificate:
            raise Refused(f"another certificate than that of {name}")
        if self._public[name] in (self._public[terms.cohort[other]] for other in self._keys):
            raise Refused(f"{name} has the identity of another member")
        used = {key for other in self._keys.values() for key in (other.channel, other.mask)}
        for key in (keys.channel, keys.mask):
            if (task := self._marks.get(checks.mark(key))) is not None:
                raise Refused(f"a round key of {name} that was used before, in task {task}", of=name)
            if key in used or keys.channel == keys.mask:
                raise Refused(f"a round key of {name} that was used before")
            agreement.agreed(bytes(range(agreement.KEY)), key, b"")  # one of small order would stop all others
        self._keys[place] = keys

    @property
    def marks(self) -> set[bytes]:
        """Of the round keys of this group, for later ones."""
        return {checks.mark(key) for keys in self._keys.values() for key in (keys.channel, keys.mask)}

    def lose(self, name: str) -> None:
        """``name`` will not answer: it said so, or is gone. What it has answered counts."""
        if self.stage in STAGES and (place := self.terms.index(name)) in self._asked:
            self._lost.add(place)

    # -- from stage to stage ----------------------------------------------------------------------------------------

    def advance(self) -> None:
        """On with those that answered: to the next stage, to "done", or to "failed" where they are too few."""
        if self.stage not in STAGES:
            return
        terms, here = self.terms, tuple(sorted(self._answers))
        if len(here) < terms.threshold:
            self._fail(f"{len(here)} of {len(terms.cohort)} answered {self.stage}, and {terms.threshold} must")
            return
        if self.stage in ("shares", "input"):
            least, where = thinnest([self._keys[i].spans for i in here], terms.size)
            if least < (need := self._covered):
                self._fail(f"{self.stage}: element {where} is left to {least} members, and {need} must have it")
                return
        if self.stage == "input" and (why := self._thin(here)):
            self._fail(why)
            return
        answers, self._answers = self._answers, {}
        if self.stage == "keys":
            self._keys = dict(sorted(self._keys.items()))
            self._listed = wire.listed(answers[i] for i in here)
            self._seen = hashlib.sha256(self._listed).digest()
            self._among = here
        elif self.stage == "shares":
            head = len(wire.head("shares", terms.digest, True))
            self._sealed = {i: answers[i][head:] for i in here}
            self._shared, self._listed = here, b""
        elif self.stage == "input":
            self._alive, self._sealed = here, {}
        elif self.stage == "consent":
            head = len(wire.head("consent", terms.digest, True))
            self._consents = {i: answers[i][head:] for i in here}
        else:
            self._unmask(answers)
            return
        self.stage = STAGES[STAGES.index(self.stage) + 1]
        self._asked = here

    def _thin(self, here: tuple[int, ...]) -> str:
        """Why its members would not agree to a sum of ``here``: few of them have added what earlier rounds left."""
        left = carriers({i: self._keys[i].past for i in self._shared}, self.terms).intersection(here)
        if 0 < len(left) < self._least:
            return f"input: what earlier rounds left is of {len(left)}, and {self._least} must have it"
        return ""

    def _fail(self, why: str) -> None:
        self.stage, self.why = "failed", why
        self._answers, self._sealed, self._consents = {}, {}, {}
        self._sum = self._sum[:0]

    def _unmask(self, answers: Mapping[int, bytes]) -> None:
        head = len(wire.head("unmask", self.terms.digest, True))
        rows = {i: np.frombuffer(answer, np.uint8, offset=head).reshape(-1, SEED) for i, answer in answers.items()}
        seeds = self._seeds(rows)
        if seeds is None:
            return
        stream.mask(self._sum, list(self._masks(seeds)))
        self._total = ring.signed(self._sum, self.terms.width)
        self._sum, self._consents, self.stage = self._sum[:0], {}, "done"

    def _seeds(self, rows: Mapping[int, npt.NDArray[np.uint8]]) -> dict[int, bytes] | None:
        """Of each that shared: of its own mask if it is alive, else of its mask key. Each is as it was committed to;
        where not, other shares are tried, for some members may have said what is not so."""
        need, places = self.terms.threshold, sorted(rows)
        known: dict[int, bytes] = {}
        for chosen in _chosen(places, need, random.Random(self.terms.digest)):
            recovery = Recovery(chosen)
            table = np.stack([rows[i] for i in chosen])
            for at, place in enumerate(self._shared):
                if place not in known and self._is(place, seed := recovery.secret(table[:, at])):
                    known[place] = seed
            if len(known) == len(self._shared):
                return known
        false = tuple(self.terms.cohort[i] for i in self._shared if i not in known)
        # Where they are more than may lie, those have lied who gave shares of theirs: who that was nothing tells.
        self.false = false if len(false) <= len(self.terms.cohort) - need else ()
        self.sure = len(places) > need
        wrong = ", ".join(false)
        self._fail(f"unmask: the shares do not give back what was committed to by {wrong[:200]}")
        return None

    def _is(self, place: int, seed: bytes) -> bool:
        keys = self._keys[place]
        if place in self._alive:
            return agreement.commitment(seed) == keys.commitment
        return agreement.public(agreement.mask_secret(seed)) == keys.mask

    def _masks(self, seeds: Mapping[int, bytes]) -> Iterator[tuple[bytes, bool]]:
        """What the sum has that is no value, with the other sign."""
        for place, seed in seeds.items():
            if place in self._alive:
                yield agreement.own_mask(seed), False
                continue
            secret = agreement.mask_secret(seed)
            for other in self._alive:
                yield agreement.between(secret, self._keys[other].mask, place, other), other > place

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """What JSON can hold, and arrays."""
        head = {
            "stage": self.stage, "why": self.why, "asked": self._asked, "lost": sorted(self._lost),
            "among": self._among, "shared": self._shared, "alive": self._alive, "answered": sorted(self._answers),
            "keys": sorted(self._keys), "sealed": sorted(self._sealed), "consents": sorted(self._consents),
            "digest": self.terms.digest.hex(), "seen": self._seen.hex(),
        }  # fmt: skip
        arrays = {"sum": self._sum.copy()}
        if self._total is not None:
            arrays["total"] = self._total.copy()
        for name, kept in (
            ("answers", self._answers), ("sealed", self._sealed), ("consents", self._consents),
            ("keys", {i: keys.signed + keys.signature for i, keys in self._keys.items()}),
        ):  # fmt: skip
            listed = wire.listed(kept[i] for i in sorted(kept))
            arrays[name] = np.frombuffer(listed, np.uint8)
        return head, arrays

    def load(self, head: Mapping[str, Any], arrays: Arrays) -> None:
        """Go on from :meth:`state`. Raises :class:`Refused` for that of another group."""
        if head["digest"] != self.terms.digest.hex():
            raise Refused("the state of a group of other terms")

        def of(name: str, places: str) -> dict[int, bytes]:
            return dict(zip(head[places], wire.parts(arrays[name].tobytes()), strict=True))

        self.stage, self.why = head["stage"], head["why"]
        self._asked, self._lost = tuple(head["asked"]), set(head["lost"])
        self._among, self._shared, self._alive = (tuple(head[n]) for n in ("among", "shared", "alive"))
        self._answers, self._sealed = of("answers", "answered"), of("sealed", "sealed")
        self._consents = of("consents", "consents")
        self._keys = {i: wire.keys_of(data, self.terms) for i, data in of("keys", "keys").items()}
        self._listed = wire.listed(k.signed + k.signature for k in self._keys.values())
        self._seen = bytes.fromhex(head["seen"])
        self._sum = arrays["sum"].astype(ring.word(self.terms.width))
        self._total = arrays["total"].astype(np.int64) if "total" in arrays else None

    def total(self) -> tuple[IntVector, tuple[str, ...]]:
        """The sum of the survivors' values, int64 [size], and who they are. Raises :class:`Refused` before "done"."""
        if self._total is None:
            raise Refused(f"no sum: the group is {self.stage}" + (f" ({self.why})" if self.why else ""))
        return self._total, self.alive


def _chosen(places: list[int], need: int, lots: random.Random) -> Iterator[list[int]]:
    """Some ``need`` of ``places`` each time: first each is left out once, so that no single one spoils all of them;
    then by lots."""
    spare = len(places) - need
    each = -(-len(places) // spare) if spare else 1
    for attempt in range(max(each, ATTEMPTS) if spare else 1):
        if attempt < each:
            out = {places[-1 - (attempt * spare + i) % len(places)] for i in range(spare)}
            yield [place for place in places if place not in out]
        else:
            yield sorted(lots.sample(places, need))
