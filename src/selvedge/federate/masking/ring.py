"""Whole numbers modulo 2**w: signed values in, words that are added with wrap-around, w bits each on the wire."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..message import Refused

Words = npt.NDArray[Any]  # unsigned, of 1, 2 or 4 bytes
IntVector = npt.NDArray[Any]  # int32 or int64
GROUP = 8  # values: so many of w bits are w bytes
BLOCK = 1 << 16  # values that are packed at a time


def word(width: int) -> np.dtype[Any]:
    """The smallest unsigned type of ``width`` bits: 2**width divides its modulus, so a sum that wraps is right."""
    return np.dtype("<u1" if width <= 8 else "<u2" if width <= 16 else "<u4")


def words(values: IntVector, bits: int, width: int) -> Words:
    """``values`` [size] modulo 2**width. Raises :class:`Refused` for one that ``bits`` bits do not hold: wrapped, it
    would be another number."""
    least, most = -(1 << bits - 1), (1 << bits - 1) - 1
    low, high = int(values.min()), int(values.max())
    if low < least or high > most:
        # Which value it is must not leave the device: a refusal is sent to the server.
        raise Refused(f"a value outside of what {bits} bits hold, {least} to {most}")
    return values.astype(word(width), casting="unsafe")


def signed(total: Words, width: int) -> IntVector:
    """The numbers of -2**(width-1) to 2**(width-1) - 1 that ``total`` is of: int64."""
    half, whole = 1 << width - 1, 1 << width
    numbers = total.astype(np.int64)
    numbers &= whole - 1
    numbers[numbers >= half] -= whole
    return numbers


def packed_size(size: int, width: int) -> int:
    """Bytes."""
    return -(-size * width // 8)


def pack(total: Words, width: int) -> bytes:
    """The low ``width`` bits of each word behind one another, the least significant first."""
    return b"".join(_packed(total[start : start + BLOCK], width) for start in range(0, len(total), BLOCK))[
        : packed_size(len(total), width)
    ]


def add(total: Words, data: bytes, width: int) -> None:
    """Add to ``total`` (in place, with wrap-around) what :func:`pack` wrote. Raises :class:`Refused` for another
    length."""
    if len(data) != packed_size(len(total), width):
        raise Refused(f"{len(data):,} B of values where {packed_size(len(total), width):,} are due")
    for start in range(0, len(total), BLOCK):
        part = total[start : start + BLOCK]
        first = start * width // 8
        np.add(part, _unpacked(data[first : first + packed_size(BLOCK, width)], len(part), width), out=part)


def _places(width: int) -> list[tuple[int, int, int]]:
    """(value of a group, byte of the group, bits that the value is shifted left in it)."""
    return [
        (value, byte, value * width - 8 * byte)
        for value in range(GROUP)
        for byte in range(value * width // 8, (value * width + width - 1) // 8 + 1)
    ]


def _packed(part: Words, width: int) -> bytes:
    groups = -(-len(part) // GROUP)
    values = np.zeros(groups * GROUP, part.dtype)
    np.bitwise_and(part, part.dtype.type((1 << width) - 1), out=values[: len(part)])
    rows = np.ascontiguousarray(values.reshape(groups, GROUP).T)  # a value of all groups in one piece
    data = np.zeros((width, groups), np.uint8)
    for value, byte, left in _places(width):
        data[byte] |= (rows[value] << left if left >= 0 else rows[value] >> -left).astype(np.uint8)
    return np.ascontiguousarray(data.T).tobytes()


def _unpacked(data: bytes, count: int, width: int) -> Words:
    groups = -(-count // GROUP)
    filled = np.zeros(groups * width, np.uint8)
    filled[: len(data)] = np.frombuffer(data, np.uint8)
    rows = np.ascontiguousarray(filled.reshape(groups, width).T).astype(word(width))
    values = np.zeros((GROUP, groups), rows.dtype)
    for value, byte, left in _places(width):
        values[value] |= rows[byte] >> left if left >= 0 else rows[byte] << -left
    values &= values.dtype.type((1 << width) - 1)
    return np.ascontiguousarray(values.T).reshape(-1)[:count]
