"""Labels in the bits that they need."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .packing import Bytes, unpack


def bits_of(classes: int) -> int:
    """1, 2, 4 or 8: the least of them that tells ``classes`` apart."""
    return next(bits for bits in (1, 2, 4, 8) if 1 << bits >= classes)


class Labels:
    """data: uint8 [packed_size(capacity, bits)], where they live."""

    def __init__(self, data: Bytes, bits: int) -> None:
        self._data, self._bits = data, bits

    def first(self, n: int) -> npt.NDArray[np.uint8]:
        """The labels of the first ``n`` places; a copy unless they take a byte each."""
        return self._data[:n] if self._bits == 8 else unpack(self._data[: -(-n * self._bits // 8)], n, self._bits)

    def write(self, slot: int, label: int) -> None:
        byte, place = divmod(slot * self._bits, 8)
        shift = 8 - self._bits - place
        mask = ((1 << self._bits) - 1) << shift
        self._data[byte] = (int(self._data[byte]) & ~mask) | label << shift
