"""What the integers of a value stand for: real = scale * (integer - zero_point)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
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

    def __repr__(self) -> str:
        """Of many scales a digest: plans are told apart by it."""
        return f"Quant({_told(self.scale)}, {_told(self.zero_point)}, {self.axis})"

    @property
    def is_symmetric(self) -> bool:
        return not any(self.zero_point)


def _told(numbers: Sequence[float]) -> str:
    if len(numbers) <= 4:
        return repr(tuple(numbers))
    return f"{len(numbers)} numbers {hashlib.sha256(repr(tuple(numbers)).encode()).hexdigest()[:12]}"


def whole(quant: Quant | None) -> Quant | None:
    """``quant`` of a value whose elements are moved about: only one scale for all of them survives that."""
    return quant if quant is None or quant.axis is None else None


def permuted(quant: Quant | None, perm: Sequence[int]) -> Quant | None:
    """``quant`` of a value whose axis i was axis ``perm[i]``."""
    if quant is None or quant.axis is None:
        return quant
    return Quant(quant.scale, quant.zero_point, perm.index(quant.axis))
