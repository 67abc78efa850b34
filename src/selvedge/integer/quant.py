"""What the integers of a value stand for: real = scale * (integer - zero_point)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Quant:
    """Affine quantisation (Jacob et al., arXiv:1712.05877, section 2.1).

    scale: positive, finite, each a float32 value; one for the whole value, or one an index of ``axis``.
    zero_point: one, or as many as scales. axis: None where one scale holds for all. Raises ``ValueError``.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...] = (0,)
    axis: int | None = None

    def __post_init__(self) -> None:
        if not self.scale or not all(math.isfinite(s) and s > 0 and float(np.float32(s)) == s for s in self.scale):
            raise ValueError("every scale must be a positive, finite float32 number")
        if len(self.zero_point) not in (1, len(self.scale)):
            raise ValueError(f"{len(self.zero_point)} zero points for {len(self.scale)} scales: give one, or as many")
        if self.axis is None and len(self.scale) > 1:
            raise ValueError(f"{len(self.scale)} scales need the axis they are for")

    @property
    def is_symmetric(self) -> bool:
        return not any(self.zero_point)
