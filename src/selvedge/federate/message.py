"""What goes over the network, both ways: a head of JSON, signed, and a body of bytes that the head names by its digest.

    file    b"SVF1", length of the head u32 little-endian, the head, the signature of all before it (64 bytes), the body

The head's fields are an allow-list (:data:`FIELDS`); nothing else leaves a device.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from .keys import SIGNATURE, Key, signed

MAGIC = b"SVF1"
LARGEST_HEAD = 1 << 20  # bytes
_PREFIX = struct.Struct("<4sI")
# Of each kind of message, the fields of its head, and of which type each is.
FIELDS: Mapping[str, Mapping[str, type]] = MappingProxyType(
    {
        # To a device. version: of the model; base: that of the model which the body is the difference to, -1 where it
        # is all of it. taken: the task of this client that was used last,
        # -1 for none: what its error feedback goes by.
        "task": {
            "run": str, "task": int, "version": int, "base": int, "layout": str, "down": str, "difference": bool,
            "up": str, "seed": int, "model_seed": int, "local": dict, "taken": int,
        },
        # From a device. weight: samples. control: whether the body also has the change of control variates. have: the
        # version of the model that it keeps, for the next task to be the difference to.
        "update": {
            "run": str, "task": int, "client": str, "weight": int, "loss": float, "control": bool, "have": int,
        },
        # From a device that could not: why, in a line.
        "refusal": {"run": str, "task": int, "client": str, "why": str},
    }
)  # fmt: skip


class Refused(ValueError):
    """A message that is not used; ``str()`` says why in one line."""


@dataclass(frozen=True, slots=True)
class Message:
    """``head``: see :data:`FIELDS`. ``body``: see the head's digest."""

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
    full = {"kind": kind, **head, "bytes": len(body), "sha256": _digest(body)}
    text = json.dumps(full, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()
    top = _PREFIX.pack(MAGIC, len(text)) + text
    return Message(kind, MappingProxyType(dict(head)), body, top + key.sign(top))


def whose(data: bytes) -> str:
    """The client that a message says it is of, to look its key up; "" where it does not."""
    try:
        found = _head(data)[0].get("client", "")
    except Refused:
        return ""
    return found if isinstance(found, str) else ""


def read(data: bytes, public: bytes | None, most: int) -> Message:
    """The message that ``data`` is, if the owner of ``public`` signed it and its body has at most ``most`` bytes.

    Raises :class:`Refused` for anything else; the body is looked at only once the head is known to be the sender's.
    """
    head, text_end = _head(data)
    end = text_end + SIGNATURE
    if public is None:
        raise Refused("of nobody who is known here")
    if not signed(data[:text_end], data[text_end:end], public):
        raise Refused("not signed by who it says it is of")
    kind = head.pop("kind", None)
    size, digest = head.pop("bytes", None), head.pop("sha256", None)
    fields = FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None:
        raise Refused(f"of the kind {str(kind)[:40]!r}")
    if set(head) != set(fields):
        odd = sorted(set(head) ^ set(fields))[0]
        raise Refused(f"a {kind} with another field: {odd[:40]}" if odd in head else f"a {kind} without {odd}")
    for name, of in fields.items():
        value = head[name]
        if of is float and type(value) is int:
            head[name] = value = float(value)
        if type(value) is not of:
            raise Refused(f"{name} is no {of.__name__}")
        if isinstance(value, int) and not -1 <= value < 1 << 64:
            raise Refused(f"{name} is {value}")
    if not isinstance(size, int) or size != len(data) - end:
        raise Refused(f"{len(data) - end:,} B of body where {size} are said")
    if size > most:
        raise Refused(f"a body of {size:,} B where at most {most:,} are due")
    body = data[end:]
    if _digest(body) != digest:
        raise Refused("a body that is not what was signed")
    assert isinstance(kind, str)
    return Message(kind, MappingProxyType(head), body, data[:end])


def _head(data: bytes) -> tuple[dict[str, Any], int]:
    """The head as JSON says it, unchecked, and where it ends."""
    if len(data) < _PREFIX.size + SIGNATURE or data[:4] != MAGIC:
        raise Refused("no message of this format")
    _, length = _PREFIX.unpack_from(data)
    if length > LARGEST_HEAD or _PREFIX.size + length + SIGNATURE > len(data):
        raise Refused(f"a head of {length:,} B")
    try:
        head = json.loads(data[_PREFIX.size : _PREFIX.size + length], parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused("a head that is no JSON") from None
    if not isinstance(head, dict):
        raise Refused("a head that is no object")
    return head, _PREFIX.size + length


def _no_constant(text: str) -> float:
    raise ValueError(text)


@lru_cache(maxsize=4)
def _digest(body: bytes) -> str:
    """SHA-256; one body goes to many, and Python keeps the hash of a bytes object that it looks this up by."""
    return hashlib.sha256(body).hexdigest()
