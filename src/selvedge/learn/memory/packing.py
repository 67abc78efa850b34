"""Codes of 1, 2, 4 or 8 bits, side by side in bytes, the first in the highest bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


def packed_size(n: int, bits: int) -> int:
    """Bytes that ``n`` codes of ``bits`` take."""
    return -(-n * bits // 8)


def pack(codes: npt.NDArray[Any], bits: int) -> Bytes:
    """codes: integers [..., n], each below 2**bits. Returns uint8 [..., packed_size(n, bits)]; the rest is 0."""
    each = 8 // bits
    count = codes.shape[-1]
    room = np.zeros((*codes.shape[:-1], packed_size(count, bits) * each), np.uint8)
    room[..., :count] = codes
    places = room.reshape(*codes.shape[:-1], -1, each)
    made = np.zeros(places.shape[:-1], np.uint8)
    for i in range(each):
        made |= places[..., i] << (8 - bits * (i + 1))
    return made


def unpack(data: Bytes, n: int, bits: int) -> Bytes:
    """The ``n`` codes that :func:`pack` made ``data`` of, uint8 [..., n]."""
    each = 8 // bits
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    codes = (data[..., None] >> shifts) & ((1 << bits) - 1)
    return codes.reshape(*data.shape[:-1], data.shape[-1] * each)[..., :n].astype(np.uint8, copy=False)
