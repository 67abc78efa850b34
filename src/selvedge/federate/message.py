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
from functools import lru_cache
from math import isfinite
from types import MappingProxyType
from typing import Any

from .keys import SIGNATURE, Key, signed

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
        # From a device that could not: why, in a line.
        "refusal": {"run": str, "task": int, "client": str, "why": str},
    }
)  # fmt: skip


class Refused(ValueError):
    """A message that is not used; ``str()`` says why in one line."""


@dataclass(frozen=True, slots=True)
class Message:
    """``head``: see :data:`FIELDS`."""

    kind: str
    head: Mapping[str, Any]
    body: bytes
    top: bytes  # all before the body, signature included

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return len(self.top) + len(self.body)

    def packed(self) -> bytes:
        return self.top + self.body


def made(kind: str, head: Mapping[str, Any], body: bytes, key: Key) -> Message:
    """A message that ``key`` signs. Raises ``KeyError`` for a head that is not of :data:`FIELDS`: a programmer's."""
    if set(head) != set(FIELDS[kind]):
        raise KeyError(f"a {kind} has the fields {sorted(FIELDS[kind])}")
    text = json.dumps([kind, *(head[name] for name in FIELDS[kind])], separators=(",", ":"), allow_nan=False).encode()
    top = _PREFIX.pack(MAGIC, len(text)) + text
    return Message(kind, MappingProxyType(dict(head)), body, top + key.sign(top + _digest(body)))


def whose(data: bytes) -> str:
    """The client that a message says it is of, to look its key up; "" where it does not."""
    try:
        head = _head(data)[1]
    except Refused:
        return ""
    found = head.get("client", "")
    return found if isinstance(found, str) else ""


def read(data: bytes, public: bytes | None, most: int) -> Message:
    """The message that ``data`` is, if the owner of ``public`` signed it and its body has at most ``most`` bytes.

    Raises :class:`Refused` for anything else; beyond its length nothing is looked at before the signature.
    """
    kind, head, text_end = _head(data)
    end = text_end + SIGNATURE
    if public is None:
        raise Refused("of nobody who is known here")
    if len(data) - end > most:
        raise Refused(f"a body of {len(data) - end:,} B where at most {most:,} are due")
    body = data[end:]
    if not signed(data[:text_end] + _digest(body), data[text_end:end], public):
        raise Refused("not signed by who it says it is of")
    for name, of in FIELDS[kind].items():
        value = head[name]
        if of is float and type(value) in (int, float):
            head[name] = value = _finite(name, value)
        if type(value) is not of:
            raise Refused(f"{name} is no {of.__name__}")
        if isinstance(value, int) and not -1 <= value < 1 << 64:
            raise Refused(f"{name} is {value}")
    return Message(kind, MappingProxyType(head), body, data[:end])


def _head(data: bytes) -> tuple[str, dict[str, Any], int]:
    """(kind, fields, where the head ends), as they are said to be."""
    if len(data) < _PREFIX.size + SIGNATURE or data[: len(MAGIC)] != MAGIC:
        raise Refused("no message of this format")
    _, length = _PREFIX.unpack_from(data)
    end = _PREFIX.size + length
    if end + SIGNATURE > len(data):
        raise Refused(f"a head of {length:,} B")
    try:
        head = json.loads(data[_PREFIX.size : end], parse_constant=_no_constant)
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


@lru_cache(maxsize=1)
def _digest(body: bytes) -> bytes:
    """SHA-256; one body goes to many, and Python keeps the hash of a bytes object that it looks this up by."""
    return hashlib.sha256(body).digest()
