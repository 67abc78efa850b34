"""An authority's word that a public key is a device's, from one day to another. No X.509: a device parses this in no
time, and there is nothing in it that could be read in two ways.

    b"SVC1", serial u64, begins u64, ends u64, the device's key (32), the authority's key (32),
    name, profile (each a byte of length, ASCII), the authority's signature of all before it (64)

Times are seconds since 1970, UTC; little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ...errors import InvalidInput
from ..allowed import NAME
from ..keys import SIGNATURE, Signer, signed
from ..message import Refused
from . import words

MAGIC = b"SVC1"
LATEST = 1 << 37  # seconds: the year 6325, which has four digits
_HEAD = struct.Struct("<4sQQQ32s32s")
MOST = _HEAD.size + 2 * (1 + 64) + SIGNATURE  # bytes


@dataclass(frozen=True, slots=True)
class Credential:
    """``data``: as the ``authority`` signed it; it counts from ``begins`` to before ``ends``."""

    name: str
    public: bytes
    profile: str
    serial: int
    begins: int
    ends: int
    authority: bytes
    data: bytes


def made(
    name: str, public: bytes, profile: str, serial: int, begins: int, ends: int, authority: Signer
) -> Credential:  # fmt: skip
    """Signed by ``authority``. Raises ``InvalidInput``."""
    for field, text in (("device name", name), ("profile", profile or "x")):
        if not NAME.fullmatch(text):
            raise InvalidInput(field, text, "give 1 to 64 letters, digits, dots, dashes or underlines")
    if not 0 <= begins < ends < LATEST:
        raise InvalidInput("days of a credential", f"{begins} to {ends}", "it is to end after it begins")
    head = _HEAD.pack(MAGIC, serial, begins, ends, public, authority.public) + words.packed(name, profile)
    return Credential(name, public, profile, serial, begins, ends, authority.public, head + authority.sign(head))


def read(data: bytes) -> Credential:
    """What the authority that it names has signed; whether that one is to be trusted is for who reads it. Raises
    ``Refused`` for anything else."""
    end = len(data) - SIGNATURE
    if not _HEAD.size + 2 <= end <= MOST - SIGNATURE or data[:4] != MAGIC:
        raise Refused("no credential of this format")
    _, serial, begins, ends, public, authority = _HEAD.unpack_from(data)
    if not signed(data[:end], data[end:], authority):
        raise Refused("a credential that its authority has not signed")
    if not begins < ends < LATEST:
        raise Refused("a credential that ends before it begins")
    name, profile = words.read(data, _HEAD.size, end)
    return Credential(name, public, profile, serial, begins, ends, authority, bytes(data))
