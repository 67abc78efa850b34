"""An authority's key gives its place to another: the old one says so, and the new one that it is there.

    b"SVS1", number u32 (1 for the first), issued u64, grace u64, the old key (32), the new key (32),
    the old key's signature of all before it (64), the new key's of all before that (64)

What the old key has signed counts until ``grace``; nothing that it signs replaces what the new one has.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..keys import SIGNATURE, Signer, signed
from ..message import Refused
from .credential import LATEST

MAGIC = b"SVS1"
_HEAD = struct.Struct("<4sIQQ32s32s")
SIZE = _HEAD.size + 2 * SIGNATURE


@dataclass(frozen=True, slots=True)
class Succession:
    """``number``: how many keys were before ``new``. ``grace``: until when credentials of ``old`` count."""

    number: int
    issued: int
    grace: int
    old: bytes
    new: bytes
    data: bytes


def made(number: int, issued: int, grace: int, old: Signer, new: Signer) -> Succession:
    head = _HEAD.pack(MAGIC, number, issued, grace, old.public, new.public)
    first = head + old.sign(head)
    return Succession(number, issued, grace, old.public, new.public, first + new.sign(first))


def read(data: bytes) -> Succession:
    """Raises ``Refused`` for anything that both keys in it have not signed."""
    if len(data) != SIZE or data[:4] != MAGIC:
        raise Refused("no succession of this format")
    _, number, issued, grace, old, new = _HEAD.unpack_from(data)
    first, second = _HEAD.size, _HEAD.size + SIGNATURE
    if not signed(data[:first], data[first:second], old) or not signed(data[:second], data[second:], new):
        raise Refused("a succession that its keys have not signed")
    if old == new or not issued <= grace < LATEST:
        raise Refused("a succession of no other key, or of no day")
    return Succession(number, issued, grace, old, new, bytes(data))
