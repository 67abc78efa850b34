"""Numbers as they are, or as halves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...errors import InvalidInput
from ...learn.draws import Draws
from .codec import Shapes, Vector, count, exactly, finite

LARGEST = 65504.0  # of float16


@dataclass(frozen=True, slots=True)
class Raw:
    """Four bytes an element, or two: the nearest float16, its largest where a number is beyond."""

    dtype: Literal["float32", "float16"] = "float32"

    def __post_init__(self) -> None:
        if self.dtype not in ("float32", "float16"):
            raise InvalidInput("codec dtype", self.dtype, "give float32 or float16")

    def __str__(self) -> str:
        return self.dtype

    def encode(self, values: Vector, shapes: Shapes, seed: int, draws: Draws) -> bytes:
        kept = values if self.dtype == "float32" else np.clip(values, -LARGEST, LARGEST)
        return kept.astype(self._kind, copy=False).tobytes()

    def decode(self, data: bytes, shapes: Shapes, seed: int) -> Vector:
        found = np.frombuffer(exactly(data, self.most(shapes)), self._kind)
        return finite(found.astype(np.float32, copy=False))

    def most(self, shapes: Shapes) -> int:
        return count(shapes) * self._kind.itemsize

    @property
    def _kind(self) -> np.dtype[np.floating]:
        return np.dtype(self.dtype).newbyteorder("<")
