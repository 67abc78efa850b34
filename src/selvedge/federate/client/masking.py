"""A device in masked rounds: what it has been asked, what it keeps of that, and what it answers once."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..codec.masked import IntVector
from ..keys import Signer
from ..masking import wire
from ..masking.apart import APART, Apart
from ..masking.demands import Demands
from ..masking.member import Member
from ..masking.past import NONE
from ..masking.terms import STAGES, Terms
from ..message import Message, Refused
from .store import VOLATILE
from .trainer import CannotTrain

if TYPE_CHECKING:  # a device of sums without noise is to have the memory
    from .noising import Noising

LASTS = 3600.0  # seconds
ROOM = 1 << 22  # bytes of what a stage asks, besides the model: of 512 members the keys, and their certificates


@dataclass(frozen=True, slots=True)
class Masking:
    """trust: (name, certificate) -> the Ed25519 public key of a member, or it raises ``Refused``. certificate: of this
    device. demands: what it wants of each group, whatever the server says. apart: members by which two sums of changes
    to one model are to differ at least, or not at all. lasts: seconds, of a round: then its secrets are deleted, and
    the device is lost in it. noising: its part of the noise, of a run whose sums have noise of their members."""

    trust: Callable[[str, bytes], bytes]
    certificate: bytes = b""
    demands: Demands = field(default_factory=Demands)
    room: int = ROOM
    apart: int = APART
    lasts: float = LASTS
    noising: Noising | None = None

    @classmethod
    def among(cls, keys: Mapping[str, bytes], demands: Demands | None = None) -> Masking:
        """With members whose public keys are known beforehand."""

        def trust(name: str, certificate: bytes) -> bytes:
            if name not in keys:
                raise Refused(f"{name} is nobody who is known here")
            return keys[name]

        return cls(trust, b"", demands or Demands())


@dataclass(frozen=True, slots=True)
class Asked:
    """``data``: what the stage asks; at the first one, the terms."""

    run: str
    task: int
    stage: str
    data: bytes

    @property
    def place(self) -> tuple[int, int]:
        """Later ones are higher."""
        return self.task, STAGES.index(self.stage)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def asked_of(message: Message) -> Asked:
    """Raises ``Refused``."""
    head = message.head
    stage = head["stage"]
    if stage not in STAGES or (stage == "input") != (message.kind == "learn"):
        raise Refused(f"no stage, {stage[:20]}")
    try:
        data = message.body if message.kind == "ask" else base64.b64decode(head["ask"], validate=True)
    except ValueError:  # of base64, or of letters beyond it
        raise Refused("an ask that is no base64") from None
    return Asked(head["run"], head["task"], stage, data)


class Stages:
    """``kept``: what :meth:`state` gave behind the last answer, or None; ``volatile``: what :meth:`secrets` did, or
    None: the round that was under way is lost then."""

    def __init__(
        self, masking: Masking, name: str, key: Signer, kept: Mapping[str, Any] | None,
        volatile: Mapping[str, Any] | None,
    ) -> None:  # fmt: skip
        member = Member(name, key, masking.trust, masking.certificate, masking.demands)
        self._member = Apart(member, masking.apart)
        self._kept = kept
        if kept is not None:
            self._member.load({**kept["member"], "round": None if volatile is None else volatile["round"]})

    def is_over(self, asked: Asked) -> bool:
        """Whether a later stage has been answered."""
        return self._kept is not None and asked.place < self._at

    def is_answered(self, asked: Asked) -> bool:
        """Whether it is what was answered last."""
        return self._kept is not None and asked.place == self._at and asked.digest == self._kept["digest"]

    @property
    def _at(self) -> tuple[int, int]:
        assert self._kept is not None
        return self._kept["task"], STAGES.index(self._kept["stage"])

    def terms(self, asked: Asked) -> Terms:
        """Of the round that is asked for. Raises ``Refused`` for one that this device has not begun."""
        if asked.stage == "keys":
            try:
                terms = Terms.of_json(asked.data.decode())
            except UnicodeDecodeError:
                raise Refused("terms that are no text") from None
            if (terms.run, terms.task) != (asked.run, asked.task):
                raise Refused("terms of another round")
            return terms
        if self._kept is None:
            raise CannotTrain("a stage of a round that this device has not begun")
        terms = Terms.of_json(self._kept["terms"])
        if (terms.run, terms.task) != (asked.run, asked.task):
            raise CannotTrain("a stage of a round that this device has not begun")
        return terms

    def carries(self, asked: Asked, terms: Terms) -> bool:
        """Whether what earlier rounds have left is to be in the values. Raises ``Refused``."""
        return self._member.carries(terms, asked.data)

    def answer(self, asked: Asked, terms: Terms, values: IntVector | None, past: bytes) -> bytes:
        """past: of what earlier rounds have left; none: b"". Raises ``Refused``."""
        past = past if past and asked.stage == "keys" else NONE
        return self._member.answer(asked.stage, terms, _ask(asked, terms), values, past=past)

    def state(self, asked: Asked, terms: Terms) -> dict[str, Any]:
        """What is to be kept before the answer leaves, as JSON can hold it."""
        return {
            "task": asked.task, "stage": asked.stage, "digest": asked.digest, "terms": terms.to_json(),
            "member": {n: v for n, v in self._member.state().items() if n != "round"},
        }  # fmt: skip

    def secrets(self, since: float) -> dict[str, Any]:
        """And beside it, for as long as the round is under way: what must neither come back nor be found."""
        under_way = self._member.state()["round"]
        if under_way is None or under_way["stage"] == STAGES[-1]:
            return {}
        return {VOLATILE: {"round": under_way, "since": since}}


def _ask(asked: Asked, terms: Terms) -> bytes:
    """As a member takes it: at the first stage it has nothing but the head."""
    return wire.head("keys", terms.digest, False) if asked.stage == "keys" else asked.data
