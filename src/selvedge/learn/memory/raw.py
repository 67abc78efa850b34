"""Samples as they are, or in a narrower type of numpy's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import InvalidInput
from .codec import Bounds, Samples, Shape, restored, rounding
from .packing import Bytes


@dataclass(frozen=True, slots=True)
class Raw:
    """``dtype``: what is stored, as "float16" of float32; None: the sample's own, and then without any error."""

    dtype: str | None = None

    def __post_init__(self) -> None:
        if self.dtype is not None and self.dtype not in ("float16", "float32"):
            raise InvalidInput("codec dtype", self.dtype, "give float16 or float32, or none for the sample's own")

    def __str__(self) -> str:
        return self.dtype or "raw"

    def size(self, shape: Shape, dtype: np.dtype[Any]) -> int:
        return int(np.prod(shape, dtype=np.int64)) * self._stored(dtype).itemsize

    def encode(self, samples: Samples) -> Bytes:
        stored = self._stored(samples.dtype)
        values = samples.reshape(len(samples), -1)
        if stored != samples.dtype:
            values = np.clip(values, np.finfo(stored).min, np.finfo(stored).max)
        return np.ascontiguousarray(values, stored).view(np.uint8).reshape(len(samples), -1)

    def decode(self, data: Bytes, shape: Shape, dtype: np.dtype[Any]) -> Samples:
        values = np.ascontiguousarray(data).view(self._stored(dtype)).reshape(len(data), *shape)
        return values if values.dtype == dtype else restored(values, dtype)

    def bound(self, samples: Samples) -> Bounds:
        """Half of the last place of the largest value; what is beyond the type's range becomes its end."""
        stored = self._stored(samples.dtype)
        if stored == samples.dtype:
            return np.zeros(len(samples))
        largest = np.abs(samples.reshape(len(samples), -1).astype(np.float64)).max(1)
        kind = np.finfo(stored)
        inside = largest * float(kind.eps) / 2 + float(kind.smallest_subnormal) + rounding(samples)
        found: Bounds = inside + np.maximum(largest - float(kind.max), 0)
        return found

    def _stored(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        return np.dtype(self.dtype) if self.dtype else dtype
