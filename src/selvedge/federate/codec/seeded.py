"""Elements drawn by a seed that both sides know: where they are takes no byte (Konečný et al., arXiv:1610.05492)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...learn.draws import Draws
from .codec import Codec, Shapes, Vector, count
from .top import kept, require_share


@dataclass(frozen=True, slots=True)
class Seeded:
    """``share`` of all elements by ``inner``, one drawn out of each stretch of as many as one is kept of; zeros for the
    others. All who answer in one round send the same elements, so that what is sent can be added up unseen."""

    share: float
    inner: Codec

    def __post_init__(self) -> None:
        require_share(self.share)

    def __str__(self) -> str:
        return f"seeded:{self.share:g}+{self.inner}"

    def encode(self, values: Vector, shapes: Shapes, seed: int, draws: Draws) -> bytes:
        chosen = drawn(len(values), kept(self.share, len(values)), seed)
        return self.inner.encode(values[chosen], ((len(chosen),),), seed, draws)

    def decode(self, data: bytes, shapes: Shapes, seed: int) -> Vector:
        n = count(shapes)
        chosen = drawn(n, kept(self.share, n), seed)
        made = np.zeros(n, np.float32)
        made[chosen] = self.inner.decode(data, ((len(chosen),),), seed)
        return made

    def most(self, shapes: Shapes) -> int:
        return self.inner.most(((kept(self.share, count(shapes)),),))


def drawn(n: int, count: int, seed: int) -> npt.NDArray[np.int64]:
    """Rising indices: of ``n`` cut into ``count`` stretches as equal as can be, one each."""
    ends = np.arange(count + 1, dtype=np.int64) * n // count
    words = Draws(seed).words(count) >> np.uint64(32)
    return ends[:-1] + (words * np.diff(ends).astype(np.uint64) >> np.uint64(32)).astype(np.int64)
