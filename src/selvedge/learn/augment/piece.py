"""What a piece of augmentation is, and what all of them ask of a batch and of their settings."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ...artifact.number import finite
from ...errors import InvalidInput
from ..draws import Draws

Array = npt.NDArray[np.float32]


class Piece(Protocol):
    """A batch in, another of its shape out; all chance is of ``draws``, so that a seed and a count tell it."""

    def __call__(self, x: Array, draws: Draws, /) -> Array:
        """x: float32 [n, ...], which is left as it is."""


def batch(name: str, x: Any) -> Array:
    """``x``, if it is one. Raises ``InvalidInput`` unless it is float32 [n, ...] of one axis or more a sample."""
    if not isinstance(x, np.ndarray) or x.dtype != np.float32 or x.ndim < 2:
        told = f"{x.dtype}{list(x.shape)}" if isinstance(x, np.ndarray) else f"of type {type(x).__name__}"
        raise InvalidInput(f"{name} samples", told, "give float32 [n, ...]")
    return x


def along(name: str, x: Array, axis: int) -> Array:
    """``x`` as [n, outer, length, inner], where ``axis`` of a sample has the length. Raises ``InvalidInput``."""
    dims = x.ndim - 1
    if not -dims <= axis < dims:
        raise InvalidInput(f"{name} axis", axis, f"samples have {dims} axes: give {-dims} to {dims - 1}")
    at = axis % dims + 1
    outer, inner = (int(np.prod(part, dtype=np.int64)) for part in (x.shape[1:at], x.shape[at + 1 :]))
    return x.reshape(len(x), outer, x.shape[at], inner)


def axis_number(name: str, given: Any) -> int:
    """Of an axis of a sample, from the front or, below 0, from the back. Raises ``InvalidInput`` for no whole one."""
    return count(f"{name} axis", given, -32, 31)


def number(field: str, value: Any, least: float, most: float) -> float:
    """A number of ``least`` to ``most``. Raises ``InvalidInput``."""
    found = finite(value)
    if found is not None and least <= found <= most:
        return found
    raise InvalidInput(field, value, f"give a number of {least:g} to {most:g}")


def count(field: str, value: Any, least: int, most: int = 1 << 30) -> int:
    """A whole number of ``least`` to ``most``. Raises ``InvalidInput``."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and least <= value <= most:
        return int(value)
    raise InvalidInput(field, value, f"give a whole number of {least} to {most}")
