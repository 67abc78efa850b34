"""Elements as codes of a few bits over the sample's own range, which is kept with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .affine import checked_bits
from .codec import Bounds, Samples, Shape, restored, rounding
from .packing import Bytes, pack, packed_size, unpack

_HALF = np.finfo(np.float16)
_ENDS = float(_HALF.min), float(_HALF.max)


@dataclass(frozen=True, slots=True)
class Bits:
    """``bits`` (1, 2, 4 or 8) an element and, of each sample, its lowest value and its step as float16: 4 B more.

    What lies beyond float16's range becomes its end.
    """

    bits: int

    def __post_init__(self) -> None:
        checked_bits(self.bits)

    def __str__(self) -> str:
        return f"{self.bits} bit"

    def size(self, shape: Shape, dtype: np.dtype[Any]) -> int:
        return 4 + packed_size(int(np.prod(shape, dtype=np.int64)), self.bits)

    def encode(self, samples: Samples) -> Bytes:
        flat = np.clip(np.nan_to_num(samples.reshape(len(samples), -1).astype(np.float64)), *_ENDS)
        low, step = self._range(flat)
        span = np.maximum(step.astype(np.float64), float(_HALF.smallest_subnormal))
        codes = np.rint((flat - low.astype(np.float64)) / span)
        made = np.clip(codes, 0, (1 << self.bits) - 1).astype(np.uint8)
        head = np.concatenate([low, step], 1).view(np.uint8)
        return np.concatenate([head, pack(made, self.bits)], 1)

    def decode(self, data: Bytes, shape: Shape, dtype: np.dtype[Any]) -> Samples:
        low, step = np.ascontiguousarray(data[:, :4]).view(np.float16).astype(np.float64).T
        codes = unpack(data[:, 4:], int(np.prod(shape, dtype=np.int64)), self.bits)
        values = codes * step[:, None] + low[:, None]
        if dtype == np.float16:  # a step that was rounded up may lead beyond its range
            values = np.clip(values, *_ENDS)
        return restored(values, dtype).reshape(len(data), *shape)

    def bound(self, samples: Samples) -> Bounds:
        """Half a step, what the float16 of the lowest value and of the step are off, and what lies beyond float16."""
        flat = samples.reshape(len(samples), -1).astype(np.float64)
        low, step = (part.astype(np.float64)[:, 0] for part in self._range(flat))
        high = low + step * ((1 << self.bits) - 1)
        outside = np.maximum(flat.max(1) - high, low - flat.min(1))
        found: Bounds = step / 2 + np.maximum(outside, 0) + rounding(samples)
        return found

    def _range(self, flat: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.float16]]:
        """The lowest value and the step of each, float16 [n, 1]."""
        ends = np.clip(np.stack([flat.min(1), flat.max(1)]), *_ENDS)
        low = ends[0].astype(np.float16)
        step = (ends[1] - low.astype(np.float64)) / ((1 << self.bits) - 1)
        return low[:, None], np.clip(step, 0, float(_HALF.max)).astype(np.float16)[:, None]
