"""A device asks an authority for a credential: it shows that it has the key, and where it had another, that one too.

b"SVE1", when u64, key (32), the earlier key (32, zeros: none), name, profile,
the key's signature of all before it (64), the earlier key's of all before that (64, zeros: none)
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..keys import SIGNATURE, Signer, signed
from ..message import Refused
from . import words

MAGIC = b"SVE1"
NONE = bytes(32)
_HEAD = struct.Struct("<4sQ32s32s")
MOST = _HEAD.size + 2 * (1 + 64) + 2 * SIGNATURE


@dataclass(frozen=True, slots=True)
class Request:
    """``before``: the key that the device had until now, which has signed this too; None: it had none."""

    name: str
    public: bytes
    profile: str
    when: int
    before: bytes | None


def made(name: str, profile: str, when: int, key: Signer, before: Signer | None = None) -> bytes:
    head = _HEAD.pack(MAGIC, when, key.public, NONE if before is None else before.public) + words.packed(name, profile)
    own = head + key.sign(head)
    return own + (bytes(SIGNATURE) if before is None else before.sign(own))


def read(data: bytes) -> Request:
    """Raises ``Refused`` for anything that the keys in it have not signed."""
    second, first = len(data) - SIGNATURE, len(data) - 2 * SIGNATURE
    if not _HEAD.size + 2 <= first <= MOST - 2 * SIGNATURE or data[:4] != MAGIC:
        raise Refused("no request of this format")
    _, when, public, before = _HEAD.unpack_from(data)
    if not signed(data[:first], data[first:second], public):
        raise Refused("a request that its key has not signed")
    if before == NONE and data[second:] != bytes(SIGNATURE):
        raise Refused("a request with a signature of no key")
    if before != NONE and not signed(data[:second], data[second:], before):
        raise Refused("a request that the earlier key has not signed")
    name, profile = words.read(data, _HEAD.size, first)
    return Request(name, public, profile, when, None if before == NONE else before)
