"""What stands for a change of a model on the wire."""

from __future__ import annotations

from math import prod
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from ...learn.draws import Draws

Vector: TypeAlias = npt.NDArray[np.float32]
Shapes: TypeAlias = tuple[tuple[int, ...], ...]


class Malformed(ValueError):
    """Bytes that no one who keeps to the codec can have sent; ``str()`` says why in one line."""


@runtime_checkable
class Codec(Protocol):
    """float32 vectors as bytes. ``shapes``: of the arrays that follow one another in it, in C order; both sides know
    them.

    ``seed``: public, of the round: what both sides draw. ``draws``: of the one who sends, for rounding.
    """

    def encode(self, values: Vector, shapes: Shapes, seed: int, draws: Draws) -> bytes:
        """values: finite float32 [count(shapes)]."""
        ...

    def decode(self, data: bytes, shapes: Shapes, seed: int) -> Vector:
        """What the bytes stand for, finite float32 [count(shapes)], which may be a view of them. Raises
        :class:`Malformed`; it allocates nothing by a length that only the bytes name."""
        ...

    def most(self, shapes: Shapes) -> int:
        """No vector takes more bytes."""
        ...


def sizes(shapes: Shapes) -> tuple[int, ...]:
    """Elements of each array."""
    return tuple(map(prod, shapes))


def count(shapes: Shapes) -> int:
    """Elements in all."""
    return sum(map(prod, shapes))


def parted(values: Vector, shapes: Shapes) -> list[Vector]:
    """The vector of each array: views."""
    made, start = [], 0
    for size in sizes(shapes):
        made.append(values[start : start + size])
        start += size
    return made


def exactly(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise Malformed(f"{len(data):,} B where {size:,} are due")
    return data


def finite(values: Vector) -> Vector:
    if not np.isfinite(values).all():
        raise Malformed("a number that is not finite")
    return values
