"""Which credentials do not count any more: a signed list whose number rises, and which is to be followed by a newer one
before its day.

    b"SVR1", number u64, issued u64, until u64, the authority's key (32), count u32, serials (u64 each, ascending),
    the authority's signature of all before it (64)
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Collection
from dataclasses import dataclass

from ...errors import InvalidInput
from ..keys import SIGNATURE, Signer, signed
from ..message import Refused
from .credential import LATEST

MAGIC = b"SVR1"
SERIALS = 1 << 16  # that a list may have
_HEAD = struct.Struct("<4sQQQ32sI")
MOST = _HEAD.size + 8 * SERIALS + SIGNATURE


@dataclass(frozen=True, slots=True)
class Revocations:
    """``number``: rises by each list. ``until``: when a newer one is due at the latest. ``data``: as it was signed."""

    number: int
    issued: int
    until: int
    authority: bytes
    serials: frozenset[int]
    data: bytes


def made(number: int, issued: int, until: int, serials: Collection[int], authority: Signer) -> Revocations:
    """Raises ``InvalidInput`` for more serials than a list may have."""
    if len(set(serials)) > SERIALS:
        raise InvalidInput("revocations", len(set(serials)), f"a list has at most {SERIALS:,}: rotate the authority")
    head = _HEAD.pack(MAGIC, number, issued, until, authority.public, len(set(serials)))
    head += b"".join(serial.to_bytes(8, "little") for serial in sorted(set(serials)))
    data = head + authority.sign(head)
    return Revocations(number, issued, until, authority.public, frozenset(serials), data)


def read(data: bytes) -> Revocations:
    """What the authority that it names has signed. Raises ``Refused`` for anything else."""
    end = len(data) - SIGNATURE
    if not _HEAD.size <= end <= MOST - SIGNATURE or data[:4] != MAGIC:
        raise Refused("no list of revocations of this format")
    _, number, issued, until, authority, count = _HEAD.unpack_from(data)
    if count * 8 != end - _HEAD.size:
        raise Refused("a list of revocations of another length than it says")
    if not signed(data[:end], data[end:], authority):
        raise Refused("a list of revocations that its authority has not signed")
    serials = struct.unpack_from(f"<{count}Q", data, _HEAD.size)
    if any(a >= b for a, b in itertools.pairwise(serials)) or not issued < until < LATEST:
        raise Refused("a list of revocations that is out of order")
    return Revocations(number, issued, until, authority, frozenset(serials), bytes(data))
