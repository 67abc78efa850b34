"""A FlatBuffer read with every offset checked: no position, length or string of the file is believed.

Format: flatbuffers.dev, "Internals". A table begins with the signed distance to its vtable; the vtable holds its own
size, the table's, and one offset a field (0: absent). Vectors and strings begin with their length. The runtime that
pip offers has no verifier.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from selvedge.errors import InvalidInput

# How many times a file's own bytes its tables and vectors may come to: offsets may all point at one place.
MOST_SHARING = 8


@dataclass(slots=True)
class Reader:
    """The bytes, and how many of them may still be looked at."""

    data: bytes
    left: int = field(init=False)

    def __post_init__(self) -> None:
        self.left = MOST_SHARING * len(self.data) + 1024

    def unpack(self, code: str, at: int, what: str) -> int | float:
        """One number of ``struct`` code ``code`` at byte ``at``."""
        self.spend(at, struct.calcsize("<" + code), what)
        value: int | float = struct.unpack_from("<" + code, self.data, at)[0]
        return value

    def spend(self, at: int, size: int, what: str) -> None:
        """Refuses bytes that are not there, and a file that points at the same ones over and over."""
        if at < 0 or at + size > len(self.data):
            raise InvalidInput(what, f"at byte {at} of {len(self.data)}", "the file is cut off or damaged")
        self.left -= size
        if self.left < 0:
            raise InvalidInput(what, f"read after {MOST_SHARING} x the file's bytes", "the file is damaged")

    def root(self, identifier: bytes, what: str) -> Table:
        """The root table of a buffer of this file identifier (bytes 4 to 8)."""
        if self.data[4:8] != identifier:
            raise InvalidInput(what, repr(self.data[4:8]), f"such a file has {identifier!r} at byte 4")
        return Table(self, int(self.unpack("I", 0, what)), what)


class Table:
    """One table. ``what`` names it in messages; fields are asked for by their number in the schema, from 0."""

    __slots__ = ("at", "fields", "reader", "vtable", "what")

    def __init__(self, reader: Reader, at: int, what: str) -> None:
        self.reader, self.at, self.what = reader, at, what
        self.vtable = at - int(reader.unpack("i", at, what))
        size = int(reader.unpack("H", self.vtable, what))
        if size < 4 or size % 2:
            raise InvalidInput(what, f"a vtable of {size} B", "the file is damaged")
        self.fields = (size - 4) // 2

    def place(self, number: int) -> int | None:
        """Where field ``number`` lies; None where it is absent."""
        if number >= self.fields:
            return None
        offset = int(self.reader.unpack("H", self.vtable + 4 + 2 * number, self.what))
        return self.at + offset if offset else None

    def number(self, number: int, code: str, default: int | float) -> int | float:
        at = self.place(number)
        return default if at is None else self.reader.unpack(code, at, self.what)

    def table(self, number: int, what: str) -> Table | None:
        at = self._target(number)
        return None if at is None else Table(self.reader, at, what)

    def tables(self, number: int, what: Callable[[int], str]) -> list[Table]:
        """A vector of tables; ``what(i)`` names each. Empty where it is absent."""
        start, count = self._vector(number, 4)
        places = (start + 4 * i for i in range(count))
        return [
            Table(self.reader, at + int(self.reader.unpack("I", at, what(i))), what(i)) for i, at in enumerate(places)
        ]

    def array(self, number: int, dtype: str) -> np.ndarray:
        """A vector of numbers, a read-only view of the file. Empty where it is absent."""
        kind = np.dtype(dtype).newbyteorder("<")
        start, count = self._vector(number, kind.itemsize)
        return np.frombuffer(self.reader.data, kind, count, start)

    def text(self, number: int) -> str:
        """A string; empty where it is absent. Bytes that are no UTF-8 are replaced, and so is what is not printable."""
        raw = self.array(number, "uint8").tobytes().decode("utf-8", "replace")
        return "".join(c if c.isprintable() else "?" for c in raw)

    def _target(self, number: int) -> int | None:
        at = self.place(number)
        return None if at is None else at + int(self.reader.unpack("I", at, self.what))

    def _vector(self, number: int, size: int) -> tuple[int, int]:
        """Where the elements of ``size`` bytes begin, and how many there are."""
        at = self._target(number)
        if at is None:
            return 0, 0
        count = int(self.reader.unpack("I", at, self.what))
        self.reader.spend(at + 4, count * size, self.what)
        return at + 4, count
