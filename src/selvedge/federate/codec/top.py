"""The largest elements only (Aji & Heafield, EMNLP 2017; Lin et al., ICLR 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import InvalidInput
from ...learn.draws import Draws
from . import rice
from .codec import Codec, Malformed, Shapes, Vector, count


@dataclass(frozen=True, slots=True)
class Top:
    """``share`` of all elements, the largest in magnitude, by ``inner``; zeros for the others. Where they are takes
    about log2(1 / share) + 1.5 bits each."""

    share: float
    inner: Codec

    def __post_init__(self) -> None:
        require_share(self.share)

    def __str__(self) -> str:
        return f"top:{self.share:g}+{self.inner}"

    def encode(self, values: Vector, shapes: Shapes, seed: int, draws: Draws) -> bytes:
        many = kept(self.share, len(values))
        chosen = np.sort(np.argpartition(np.abs(values), len(values) - many)[len(values) - many :]).astype(np.int64)
        return rice.coded(chosen, len(values)) + self.inner.encode(values[chosen], ((many,),), seed, draws)

    def decode(self, data: bytes, shapes: Shapes, seed: int) -> Vector:
        if len(data) > self.most(shapes):
            raise Malformed(f"{len(data):,} B where at most {self.most(shapes):,} are due")
        n = count(shapes)
        many = kept(self.share, n)
        chosen, taken = rice.decoded(data, n, many)
        made = np.zeros(n, np.float32)
        made[chosen] = self.inner.decode(data[taken:], ((many,),), seed)
        return made

    def most(self, shapes: Shapes) -> int:
        n = count(shapes)
        many = kept(self.share, n)
        return rice.most_bytes(n, many) + self.inner.most(((many,),))


def kept(share: float, n: int) -> int:
    return max(1, round(share * n))


def require_share(share: float) -> None:
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise InvalidInput("codec share", share, "give a number above 0, at most 1")
