"""A record as bytes and back: a JSON head and arrays by name. Nothing is pickled.

    frame    number u64, length u64, CRC-32 u32 of both and the payload; then the payload: ``length`` bytes
    payload  length of the head u32; the head, [what was given, [[name, dtype, shape], ...]], as JSON; the arrays

All numbers are little-endian, the arrays' too, which lie in C order without gaps.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput

FRAME = struct.Struct("<QQI")
_HEAD = struct.Struct("<I")
_NUMBERED = struct.Struct("<QQ")


@dataclass(frozen=True, slots=True)
class Record:
    """``number``: of a record, from 0 on; of a snapshot, how many records came before it. ``head``: as JSON gives it
    back. ``arrays``: by name, writable."""

    number: int
    head: Any
    arrays: Mapping[str, npt.NDArray[Any]]


def framed(number: int, head: Any, arrays: Mapping[str, npt.ArrayLike]) -> list[bytes | memoryview]:
    """The parts of a frame, in order; arrays are not copied where they already lie as they are written.

    Raises ``InvalidInput`` for a head that JSON does not have, and an array that is not of numbers.
    """
    about, parts = [], []
    for name, given in arrays.items():
        array = np.asarray(given, order="C")
        if not isinstance(name, str) or array.dtype.kind not in "biufc":
            fix = "give arrays of numbers under names (others as a view of whole numbers)"
            raise InvalidInput(f"journal array {name}", str(array.dtype), fix)
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        about.append([name, array.dtype.str, array.shape])
        parts.append(array.reshape(-1).view(np.uint8).data)
    try:
        text = json.dumps([head, about], separators=(",", ":"), ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput("journal head", f"of type {type(head).__name__}", f"give what JSON has ({error})") from None
    payload: list[bytes | memoryview] = [_HEAD.pack(len(text)), text, *parts]
    length = size(payload)
    return [FRAME.pack(number, length, _check(number, length, payload)), *payload]


def size(parts: Sequence[bytes | memoryview]) -> int:
    return sum(len(part) for part in parts)


def is_whole(number: int, length: int, check: int, payload: bytes) -> bool:
    """Whether a frame of these fields is as it was written."""
    return len(payload) == length and _check(number, length, [payload]) == check


def read(number: int, payload: bytes) -> Record:
    """The record of a payload that is whole."""
    (length,) = _HEAD.unpack_from(payload)
    at = _HEAD.size + length
    head, about = json.loads(payload[_HEAD.size : at])
    arrays = {}
    for name, dtype, shape in about:
        kind = np.dtype(dtype)
        arrays[name] = np.frombuffer(payload, kind, prod(shape), at).reshape(shape).copy()
        at += arrays[name].nbytes
    return Record(number, head, arrays)


def _check(number: int, length: int, payload: Sequence[bytes | memoryview]) -> int:
    found = crc32(_NUMBERED.pack(number, length))
    for part in payload:
        found = crc32(part, found)
    return found
