"""The largest elements only (Aji & Heafield, EMNLP 2017; Lin et al., ICLR 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np

from ...errors import InvalidInput
from ...learn.draws import Draws
from . import rice
from .codec import Codec, Malformed, Shapes, Vector, count
from .rice import Indices

LARGE, STRIDE = 1 << 16, 16  # elements from which on some are looked at first, and one of how many


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
        chosen = largest(values, kept(self.share, len(values)))
        return rice.coded(chosen, len(values)) + self.inner.encode(values[chosen], ((len(chosen),),), seed, draws)

    def parted(self, values: Vector, seed: int, draws: Draws) -> tuple[bytes, Vector]:
        """What :meth:`encode` makes, and ``values`` less what :meth:`decode` makes of that: another number only where
        they were chosen."""
        chosen = largest(values, kept(self.share, len(values)))
        shapes = ((len(chosen),),)
        inner = self.inner.encode(values[chosen], shapes, seed, draws)
        left = values.copy()
        left[chosen] -= self.inner.decode(inner, shapes, seed)
        return rice.coded(chosen, len(values)) + inner, left

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


def largest(values: Vector, many: int) -> Indices:
    """int64 [many], rising: where the largest magnitudes are, of equal ones the first. Of many elements, a few tell
    from where on all are worth a look."""
    among = _worth_a_look(values, many) if len(values) >= LARGE and 4 * many <= len(values) else None
    # Magnitudes are in the order of their bits as whole numbers, which are parted in half the time.
    sizes = np.abs(values if among is None else values[among]).view(np.int32)
    least = np.partition(sizes, len(sizes) - many)[len(sizes) - many]
    chosen = np.flatnonzero(sizes >= least).astype(np.int64, copy=False)
    if len(chosen) > many:
        last = np.flatnonzero(sizes[chosen] == least)[many - len(chosen) :]
        chosen = np.delete(chosen, last)
    return chosen if among is None else among[chosen]


def _worth_a_look(values: Vector, many: int) -> Indices | None:
    """Where all of at least some magnitude are; None where those are fewer than ``many``."""
    some = np.abs(values[::STRIDE]).view(np.int32)
    more = many // STRIDE + 4 * isqrt(many // STRIDE + 1)  # four standard deviations of how many are among some
    least = np.partition(some, len(some) - more)[len(some) - more].view(np.float32)
    found, sizes = [], np.empty(LARGE, np.float32)
    for start in range(0, len(values), LARGE):  # in the cache
        part = values[start : start + LARGE]
        found.append(np.flatnonzero(np.abs(part, out=sizes[: len(part)]) >= least) + start)
    among = np.concatenate(found)
    return among if len(among) >= many else None


def kept(share: float, n: int) -> int:
    return max(1, round(share * n))


def require_share(share: float) -> None:
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise InvalidInput("codec share", share, "give a number above 0, at most 1")
