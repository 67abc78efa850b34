"""A FlatBuffer written: tables, vectors and strings, each behind what points at it. Format: see :mod:`.flatbuffer`.

What is said to be shared lies at the end, once for all that are equal: an offset only points forwards.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np


@dataclass(frozen=True, slots=True)
class Number:
    """A number in its table, of ``struct`` code ``code``."""

    code: str
    value: int | float | bool


@dataclass(frozen=True, slots=True)
class Array:
    """A vector of numbers, little-endian; its first one lies at a multiple of ``align`` bytes."""

    numbers: np.ndarray
    align: int = 4
    shared: bool = False

    @property
    def key(self) -> Key:
        return self.numbers.dtype.str, self.numbers.tobytes()


@dataclass(frozen=True, slots=True)
class Table:
    """``fields``: by their number in the schema. What is absent reads as its default. ``shared``: they are numbers and
    shared vectors."""

    fields: Mapping[int, Field]
    shared: bool = False

    @property
    def key(self) -> Key:
        """Of a shared one."""
        made: list[tuple[int, Number | Key]] = []
        for number, given in self.fields.items():
            assert isinstance(given, Number | Array | Table), "what is shared has no text and no list of tables"
            made.append((number, given if isinstance(given, Number) else given.key))
        return tuple(made)


Key: TypeAlias = tuple[object, ...]
Field: TypeAlias = "Number | Array | str | Table | Sequence[Table]"


def built(root: Table, identifier: bytes) -> bytes:
    """The buffer of ``root``, with the file identifier ``identifier`` at byte 4."""
    writing = _Writing(bytearray(8))
    writing.data[4:8] = identifier
    writing.point(0, writing.table(root))
    for waiting in (writing.tables, writing.arrays):  # tables first: they point at vectors
        for given, readers in waiting.values():
            place = writing.table(given) if isinstance(given, Table) else writing.array(given)
            for at in readers:
                writing.point(at, place)
    return bytes(writing.data + bytes(-len(writing.data) % 8))


@dataclass(slots=True)
class _Writing:
    """``vtables``: where each lies. ``tables``, ``arrays``: the shared ones, and where they are pointed at."""

    data: bytearray
    vtables: dict[bytes, int] = field(default_factory=dict)
    tables: dict[Key, tuple[Table, list[int]]] = field(default_factory=dict)
    arrays: dict[Key, tuple[Array, list[int]]] = field(default_factory=dict)

    def table(self, table: Table) -> int:
        """Where it begins: the largest of its fields first, then what they point at."""
        fields = sorted(table.fields.items(), key=lambda f: -_size(f[1]))
        places, size = {}, 4  # a table begins with the distance to its vtable
        for number, given in fields:
            places[number] = size
            size += _size(given)
        count = max(places, default=-1) + 1
        packed = struct.pack(f"<{2 + count}H", 4 + 2 * count, size, *(places.get(n, 0) for n in range(count)))
        if packed not in self.vtables:
            self.vtables[packed] = self.grown(len(packed), 2)
            self.data[self.vtables[packed] :] = packed
        if fields and _size(fields[0][1]) == 8:  # its fields begin 4 bytes on
            self.data += bytes(-(len(self.data) + 4) % 8)
        start = self.grown(size, 4)
        struct.pack_into("<i", self.data, start, start - self.vtables[packed])
        for number, given in fields:
            at = start + places[number]
            if isinstance(given, Number):
                struct.pack_into("<" + given.code, self.data, at, given.value)
            elif isinstance(given, Array) and given.shared:
                self.arrays.setdefault(given.key, (given, []))[1].append(at)
            elif isinstance(given, Table) and given.shared:
                self.tables.setdefault(given.key, (given, []))[1].append(at)
            else:
                self.point(at, self.pointed(given))
        return start

    def pointed(self, given: Array | str | Table | Sequence[Table]) -> int:
        if isinstance(given, Table):
            return self.table(given)
        if isinstance(given, Array):
            return self.array(given)
        if isinstance(given, str):
            text = given.encode()
            start = self.grown(4, 4)
            struct.pack_into("<I", self.data, start, len(text))
            self.data += text + b"\0"
            return start
        start = self.grown(4 + 4 * len(given), 4)
        struct.pack_into("<I", self.data, start, len(given))
        for i, table in enumerate(given):
            self.point(start + 4 + 4 * i, self.table(table))
        return start

    def array(self, given: Array) -> int:
        numbers = np.ascontiguousarray(given.numbers)
        self.data += bytes(-(len(self.data) + 4) % max(4, given.align))
        start = self.grown(4, 4)
        struct.pack_into("<I", self.data, start, numbers.size)
        self.data += numbers.astype(numbers.dtype.newbyteorder("<"), copy=False).tobytes()
        return start

    def grown(self, size: int, align: int) -> int:
        """Where ``size`` new bytes begin."""
        self.data += bytes(-len(self.data) % align)
        start = len(self.data)
        self.data += bytes(size)
        return start

    def point(self, at: int, target: int) -> None:
        struct.pack_into("<I", self.data, at, target - at)


def _size(given: Field) -> int:
    """Bytes in its table."""
    return struct.calcsize("<" + given.code) if isinstance(given, Number) else 4
