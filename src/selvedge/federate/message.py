"""What goes over the network, both ways: a head that is signed together with the digest of the bytes behind it.

    b"SV1", length of the head u16 little-endian, the head, the signature (64 bytes), the body
    head        JSON, [kind, the kind's fields in the order of FIELDS ...]
    signature   Ed25519, of all before it and the body's SHA-256

:data:`FIELDS` is an allow-list: nothing else leaves a device.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import Any

from .keys import SIGNATURE, Signer, signed
from .refused import Refused as Refused

MAGIC = b"SV1"
_PREFIX = struct.Struct("<3sH")
# Of each kind of message, the fields of its head, and of which type each is.
FIELDS: Mapping[str, Mapping[str, type]] = MappingProxyType(
    {
        # To the device ``client``. run: its name and which of all runs of that name. version: of the model; base: that
        # of the model which the body is the difference to, -1 where it is all of it. window: which elements a part of
        # the model has, where that changes, else 0: what error feedback left is of these. taken: the task of this
        # client that was used last, -1 for none: what its error feedback goes by.
        "task": {
            "run": str, "task": int, "client": str, "version": int, "base": int, "layout": str, "window": int,
            "down": str, "difference": bool, "up": str, "seed": int, "model_seed": int, "local": dict, "taken": int,
        },
        # From a device. weight: samples. control: whether the body also has the change of control variates. have: the
        # version of the model that it keeps, for the next task to be the difference to.
        "update": {
            "run": str, "task": int, "client": str, "weight": int, "loss": float, "control": bool, "have": int,
        },
        # From a device: is there a task? run: its name. now: its clock, in seconds, later each time.
        "poll": {"run": str, "client": str, "now": float},
        # Of a masked round, to the device ``client``: what the stage asks, but that of learning.
        "ask": {"run": str, "task": int, "client": str, "stage": str},
        # And that of learning: ``ask``, in base64, beside the model, which is the body; else as a task has it. What was
        # used last is not in it: no device takes a server's word for that.
        "learn": {
            "run": str, "task": int, "client": str, "stage": str, "ask": str, "version": int, "base": int,
            "layout": str, "window": int, "down": str, "difference": bool, "model_seed": int, "local": dict,
        },
        # From a device: what it answers to a stage, which nobody can read but all of them together.
        "said": {"run": str, "task": int, "client": str, "stage": str, "have": int},
        # From a device that could not: why, in a line. of: the member of its group who is to blame, "" for nobody.
        "refusal": {"run": str, "task": int, "client": str, "why": str, "of": str},
    }
)  # fmt: skip
ANSWERS = ("update", "said", "refusal")  # what a device makes of what it is asked


@dataclass(frozen=True, slots=True)
class Message:
    """``head``: see :data:`FIELDS`."""

    kind: str
    head: Mapping[str, Any]
    body: bytes
    top: bytes  # all before the body, signature included
    digest: bytes | None = None  # of the body, where it is at hand

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return len(self.top) + len(self.body)

    def packed(self) -> bytes:
        return self.top + self.body


def made(kind: str, head: Mapping[str, Any], body: bytes, key: Signer) -> Message:
    """A message that ``key`` signs. Raises ``KeyError`` for a head that is not of :data:`FIELDS`: a programmer's."""
    if set(head) != set(FIELDS[kind]):
        raise KeyError(f"a {kind} has the fields {sorted(FIELDS[kind])}")
    text = _ENCODER.encode([kind, *(head[name] for name in FIELDS[kind])]).encode()
    top = _PREFIX.pack(MAGIC, len(text)) + text
    digest = _digest(kind, body)
    return Message(kind, MappingProxyType(dict(head)), body, top + key.sign(top + digest), digest)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A message as it came: nothing that it says is known to be true."""

    data: bytes
    kind: str
    head: dict[str, Any]
    end: int  # of the head, where the signature begins
    body: bytes | None = None  # where it is not in data

    @classmethod
    def of(cls, data: bytes, body: bytes | None = None) -> Sealed:
        """``body``: where that is not a part of ``data``. Raises :class:`Refused` for what has no such head."""
        kind, head, end = _head(data)
        if body is not None and end + SIGNATURE != len(data):
            data, body = data + body, None
        return cls(data, kind, head, end, body)

    @property
    def client(self) -> str:
        """Whom it says it is of, to look the key up; "" where it does not."""
        found = self.head.get("client", "")
        return found if isinstance(found, str) else ""

    def opened(self, public: bytes | None, most: int, digest: bytes | None = None) -> Message:
        """The message, if the owner of ``public`` signed it and its body has at most ``most`` bytes. digest: SHA-256 of
        the body, of who is in this process and has just made it; None: it is to be found.

        Raises :class:`Refused` for anything else; beyond its length nothing is looked at before the signature.
        """
        data, head, end = self.data, self.head, self.end + SIGNATURE
        if public is None:
            raise Refused("of nobody who is known here")
        size = len(data) - end if self.body is None else len(self.body)
        if size > most:
            raise Refused(f"a body of {size:,} B where at most {most:,} are due")
        body = data[end:] if self.body is None else self.body
        if not signed(data[: self.end] + (digest or _digest(self.kind, body)), data[self.end : end], public):
            raise Refused("not signed by who it says it is of")
        for name, of in FIELDS[self.kind].items():
            value = head[name]
            if of is float and type(value) in (int, float):
                head[name] = value = _finite(name, value)
            if type(value) is not of:
                raise Refused(f"{name} is no {of.__name__}")
            if isinstance(value, int) and not -1 <= value < 1 << 64:
                raise Refused(f"{name} is {value}")
        return Message(self.kind, MappingProxyType(head), body, data[:end])


def answers(head: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Whether the head of a device's answer is that of one to ``asked``; a refusal is of all stages of a task."""
    same = all(head[name] == asked[name] for name in ("run", "task", "client"))
    return same and ("why" in head or head.get("stage") == asked.get("stage"))


def learns(top: bytes) -> bool:
    """Whether a message to a device asks it to learn: what a masked round asks besides takes it no time to speak of."""
    return not top.startswith(b'["ask"', _PREFIX.size)


def whose(data: bytes) -> str:
    """The client that a message says it is of, to look its key up; "" where it does not."""
    try:
        return Sealed.of(data).client
    except Refused:
        return ""


def read(data: bytes, public: bytes | None, most: int, body: bytes | None = None) -> Message:
    """:meth:`Sealed.opened` of ``data``; ``body``: where that is not a part of it."""
    return Sealed.of(data, body).opened(public, most)


def _head(data: bytes) -> tuple[str, dict[str, Any], int]:
    """(kind, fields, where the head ends), as they are said to be."""
    if len(data) < _PREFIX.size + SIGNATURE or data[: len(MAGIC)] != MAGIC:
        raise Refused("no message of this format")
    _, length = _PREFIX.unpack_from(data)
    end = _PREFIX.size + length
    if end + SIGNATURE > len(data):
        raise Refused(f"a head of {length:,} B")
    try:
        head = _DECODER.decode(data[_PREFIX.size : end].decode())
    except (ValueError, RecursionError):
        raise Refused("a head that is no JSON") from None
    if not isinstance(head, list) or not head or not isinstance(head[0], str) or head[0] not in FIELDS:
        raise Refused("a head of no kind that there is")
    fields = FIELDS[head[0]]
    if len(head) != len(fields) + 1:
        raise Refused(f"a {head[0]} of {len(head) - 1} fields where there are {len(fields)}")
    return head[0], dict(zip(fields, head[1:], strict=True)), end


def _finite(name: str, value: float) -> float:
    with contextlib.suppress(OverflowError):
        if isfinite(value := float(value)):
            return value
    raise Refused(f"{name} is no finite number")


def _no_constant(text: str) -> float:
    raise ValueError(text)


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_DECODER = json.JSONDecoder(parse_constant=_no_constant)


_latest = b"", hashlib.sha256(b"").digest()  # a task's body, and its digest


def _digest(kind: str, body: bytes) -> bytes:
    """SHA-256. The body of a task goes to many: that of the latest is found by comparing, which is a tenth of it."""
    global _latest
    if kind not in ("task", "learn"):
        return hashlib.sha256(body).digest()
    known, found = _latest
    if body != known:
        _latest = body, (found := hashlib.sha256(body).digest())
    return found
