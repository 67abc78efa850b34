"""Elements as codes of a few bits, evenly over a range that is known beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...artifact.number import finite
from ...errors import InvalidInput
from .codec import Bounds, Samples, Shape, restored, rounding
from .packing import Bytes, pack, packed_size, unpack

WIDTHS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Affine:
    """``bits`` (1, 2, 4 or 8) an element: the nearest of 2**bits values, evenly from ``low`` to ``high``.

    With one bit that is a threshold in the middle. What lies outside of the range becomes its end.
    """

    bits: int
    low: float = 0.0
    high: float = 255.0

    def __post_init__(self) -> None:
        checked_bits(self.bits)
        low, high = finite(self.low), finite(self.high)
        if low is None or high is None or not low < high:
            raise InvalidInput("codec range", f"{self.low}..{self.high}", "give finite numbers, the lower one first")

    def __str__(self) -> str:
        return f"{self.bits} bit {self.low:g}..{self.high:g}"

    def size(self, shape: Shape, dtype: np.dtype[Any]) -> int:
        return packed_size(int(np.prod(shape, dtype=np.int64)), self.bits)

    def encode(self, samples: Samples) -> Bytes:
        flat = samples.reshape(len(samples), -1).astype(np.float64)
        codes = np.rint((flat - self.low) / self._step)
        return pack(np.clip(np.nan_to_num(codes), 0, (1 << self.bits) - 1).astype(np.uint8), self.bits)

    def decode(self, data: Bytes, shape: Shape, dtype: np.dtype[Any]) -> Samples:
        codes = unpack(data, int(np.prod(shape, dtype=np.int64)), self.bits)
        values = np.arange(1 << self.bits) * self._step + self.low
        return restored(values, dtype)[codes].reshape(len(data), *shape)

    def bound(self, samples: Samples) -> Bounds:
        """Half a step, and how far the sample reaches out of the range."""
        flat = samples.reshape(len(samples), -1).astype(np.float64)
        outside = np.maximum(flat.max(1) - self.high, self.low - flat.min(1))
        found: Bounds = self._step / 2 + np.maximum(outside, 0) + rounding(samples)
        return found

    @property
    def _step(self) -> float:
        return (self.high - self.low) / ((1 << self.bits) - 1)


def checked_bits(bits: int) -> None:
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer) or bits not in WIDTHS:
        raise InvalidInput("codec bits", bits, "give 1, 2, 4 or 8")
