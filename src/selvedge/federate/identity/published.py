"""What an authority tells everybody: its first key, which key follows which, and the newest list of revocations. It is
a file for whoever serves a run, and what devices ask that server for; each part of it is signed by the authority, so
that whoever carries it can leave it out or keep it back, and change nothing.

    b"SVP1", the first key (32), count of successions u16, these (each of a fixed size), the list of revocations
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..message import Refused
from . import revocations as lists
from . import succession
from .revocations import Revocations
from .succession import Succession

MAGIC = b"SVP1"
SUCCESSIONS = 64  # that an authority may have
_HEAD = struct.Struct("<4s32sH")
MOST = _HEAD.size + SUCCESSIONS * succession.SIZE + lists.MOST


@dataclass(frozen=True, slots=True)
class Published:
    """``root``: the first key, by which the authority is known. ``revocations``: signed by the newest."""

    root: bytes
    successions: tuple[Succession, ...]
    revocations: Revocations

    @property
    def key(self) -> bytes:
        """The key that signs now."""
        return self.successions[-1].new if self.successions else self.root

    def packed(self) -> bytes:
        head = _HEAD.pack(MAGIC, self.root, len(self.successions))
        return head + b"".join(s.data for s in self.successions) + self.revocations.data


def read(data: bytes) -> Published:
    """Raises ``Refused`` for what does not hang together, from the first key to the list."""
    if not _HEAD.size <= len(data) <= MOST or data[:4] != MAGIC:
        raise Refused("nothing that an authority publishes")
    _, root, count = _HEAD.unpack_from(data)
    start = _HEAD.size + count * succession.SIZE
    if count > SUCCESSIONS or start > len(data):
        raise Refused(f"{count} successions of an authority")
    key, keys, chain = root, {root}, []
    for i in range(count):
        begin = _HEAD.size + i * succession.SIZE
        found = succession.read(data[begin : begin + succession.SIZE])
        if found.number != i + 1 or found.old != key or found.new in keys:
            raise Refused("a succession that does not follow the one before it")
        chain.append(found)
        keys.add(key := found.new)
    listed = lists.read(data[start:])
    if listed.authority != key:
        raise Refused("a list of revocations that is not of the authority's newest key")
    return Published(root, tuple(chain), listed)
