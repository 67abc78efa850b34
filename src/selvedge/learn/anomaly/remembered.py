"""One array that holds all that a detector remembers, seen as named parts."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt


class Remembered:
    """``buffer``: uint8, allocated once; ``part``: views of it by name.

    parts: name -> (shape, dtype), laid out in this order without padding: the widest first.
    """

    def __init__(self, parts: Mapping[str, tuple[tuple[int, ...], type]]) -> None:
        self.buffer = np.zeros(sum(prod(shape) * np.dtype(kind).itemsize for shape, kind in parts.values()), np.uint8)
        self.part: dict[str, npt.NDArray[Any]] = {}
        offset = 0
        for name, (shape, kind) in parts.items():
            view: npt.NDArray[Any] = np.ndarray(shape, kind, self.buffer.data, offset)
            self.part[name], offset = view, offset + view.nbytes

    def copies(self) -> dict[str, npt.NDArray[Any]]:
        return {name: array.copy() for name, array in self.part.items()}

    def take(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """``state``, checked before, in the place of all."""
        for name, mine in self.part.items():
            mine[...] = state[name]
