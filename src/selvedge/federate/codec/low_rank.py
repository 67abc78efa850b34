"""Matrices as the product of two narrow ones (PowerSGD, Vogels et al., NeurIPS 2019, arXiv:1905.13727)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ...learn.draws import Draws
from .codec import Codec, Shapes, Vector, count, finite, parted

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LowRank:
    """An array [m, ...] as [m, rank] times [rank, n], one step of the power method from columns that the round's seed
    draws, where that is fewer numbers; else as it is. All numbers of it by ``inner``, which sees two arrays for one."""

    rank: int
    inner: Codec

    def __post_init__(self) -> None:
        if isinstance(self.rank, bool) or self.rank < 1:
            raise InvalidInput("codec rank", self.rank, "give a whole number >= 1")

    def __str__(self) -> str:
        return f"rank:{self.rank}+{self.inner}"

    def encode(self, values: Vector, shapes: Shapes, seed: int, draws: Draws) -> bytes:
        made: list[Vector] = []
        columns = Draws(seed)
        for part, shape in zip(parted(values, shapes), shapes, strict=True):
            if not self._narrow(shape):
                made.append(part)
                continue
            matrix = part.reshape(shape[0], -1).astype(np.float64)
            left = np.linalg.qr(matrix @ columns.normal(matrix.shape[1], self.rank))[0]
            made += [left.astype(np.float32).reshape(-1), (left.T @ matrix).astype(np.float32).reshape(-1)]
        return self.inner.encode(np.concatenate(made), self._inside(shapes), seed, draws)

    def decode(self, data: bytes, shapes: Shapes, seed: int) -> Vector:
        inside = self._inside(shapes)
        found = iter(parted(self.inner.decode(data, inside, seed), inside))
        made = np.empty(count(shapes), np.float32)
        start = 0
        for shape in shapes:
            part: npt.NDArray[np.float32] = next(found)
            if self._narrow(shape):
                with np.errstate(over="ignore", invalid="ignore"):
                    part = (part.reshape(shape[0], self.rank) @ next(found).reshape(self.rank, -1)).reshape(-1)
            made[start : start + prod(shape)] = part
            start += prod(shape)
        return finite(made)

    def most(self, shapes: Shapes) -> int:
        return self.inner.most(self._inside(shapes))

    def _narrow(self, shape: tuple[int, ...]) -> bool:
        return len(shape) > 1 and self.rank * (shape[0] + prod(shape[1:])) < prod(shape)

    def _inside(self, shapes: Shapes) -> Shapes:
        made: list[tuple[int, ...]] = []
        for shape in shapes:
            made += [(shape[0], self.rank), (self.rank, prod(shape[1:]))] if self._narrow(shape) else [shape]
        return tuple(made)
