"""A FlatBuffer written: tables, vectors and strings, each behind what points at it. Format: see :mod:`.flatbuffer`."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Union

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


@dataclass(frozen=True, slots=True)
class Table:
    """``fields``: by their number in the schema. What is absent reads as its default."""

    fields: Mapping[int, Field]


Field = Union[Number, Array, str, Table, Sequence[Table]]


def built(root: Table, identifier: bytes) -> bytes:
    """The buffer of ``root``, with the file identifier ``identifier`` at byte 4."""
    data = bytearray(8)
    data[4:8] = identifier
    _point(data, 0, _table(data, root))
    return bytes(data + bytes(-len(data) % 8))


def _table(data: bytearray, table: Table) -> int:
    """Where it begins: behind its vtable, the largest of its fields first, then what they point at."""
    fields = sorted(table.fields.items(), key=lambda f: -_size(f[1]))
    count = max(table.fields, default=-1) + 1
    vtable = _grown(data, 4 + 2 * count, 2)
    # Its fields begin 4 bytes on, at a multiple of 8, which the largest want.
    data += bytes(-(len(data) + 4) % 8)
    start = len(data)
    data += struct.pack("<i", start - vtable)
    places = {}
    for number, field in fields:
        places[number] = _grown(data, _size(field), _size(field))
    struct.pack_into("<HH", data, vtable, 4 + 2 * count, len(data) - start)
    for number, field in fields:
        struct.pack_into("<H", data, vtable + 4 + 2 * number, places[number] - start)
        if isinstance(field, Number):
            struct.pack_into("<" + field.code, data, places[number], field.value)
        else:
            _point(data, places[number], _pointed(data, field))
    return start


def _pointed(data: bytearray, field: Array | str | Table | Sequence[Table]) -> int:
    if isinstance(field, Table):
        return _table(data, field)
    if isinstance(field, str):
        text = field.encode()
        start = _grown(data, 4, 4)
        struct.pack_into("<I", data, start, len(text))
        data += text + b"\0"
        return start
    if isinstance(field, Array):
        numbers = np.ascontiguousarray(field.numbers).astype(field.numbers.dtype.newbyteorder("<"), copy=False)
        data += bytes(-(len(data) + 4) % max(4, field.align))
        start = _grown(data, 4, 4)
        struct.pack_into("<I", data, start, numbers.size)
        data += numbers.tobytes()
        return start
    start = _grown(data, 4 + 4 * len(field), 4)
    struct.pack_into("<I", data, start, len(field))
    for i, table in enumerate(field):
        _point(data, start + 4 + 4 * i, _table(data, table))
    return start


def _grown(data: bytearray, size: int, align: int) -> int:
    """Where ``size`` new bytes begin."""
    data += bytes(-len(data) % align)
    start = len(data)
    data += bytes(size)
    return start


def _point(data: bytearray, at: int, target: int) -> None:
    struct.pack_into("<I", data, at, target - at)


def _size(field: Field) -> int:
    """Bytes in its table."""
    return struct.calcsize("<" + field.code) if isinstance(field, Number) else 4
