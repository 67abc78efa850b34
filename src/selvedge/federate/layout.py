"""What a run learns together: arrays by name, in one order, as one vector."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput

Vector = npt.NDArray[np.float32]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """``shapes``: of each array, by its PyTorch name; in a vector they follow one another in this order, in C order."""

    shapes: Mapping[str, Shape]

    def __post_init__(self) -> None:
        if not self.shapes:
            raise InvalidInput("layout", "without arrays", "name what is to be learnt together")

    @classmethod
    def of(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Layout:
        """Of all arrays of floating-point numbers: counters and tables of indices stay where they are."""
        return cls({n: tuple(map(int, a.shape)) for n, a in arrays.items() if a.dtype.kind == "f"})

    @cached_property
    def size(self) -> int:
        return sum(map(prod, self.shapes.values()))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Of each array."""
        return tuple(map(prod, self.shapes.values()))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of names and shapes: both sides mean the same vector."""
        return digest([[n, list(s)] for n, s in self.shapes.items()])

    def places(self) -> Iterator[tuple[str, Shape, slice]]:
        start = 0
        for name, shape in self.shapes.items():
            yield name, shape, slice(start, start + prod(shape))
            start += prod(shape)

    def vector(self, arrays: Mapping[str, npt.NDArray[Any]]) -> Vector:
        """The arrays of these names as one, float32 [size]; others are left out. Raises ``InvalidInput``."""
        made = np.empty(self.size, np.float32)
        for name, shape, place in self.places():
            if name not in arrays:
                raise InvalidInput("state", f"without {name}", "give the state of the model that the run was made for")
            if arrays[name].shape != shape:
                raise InvalidInput(f"state {name}", list(arrays[name].shape), f"this run learns {list(shape)}")
            made[place] = arrays[name].reshape(-1)
        return made

    def arrays(self, vector: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """Views into ``vector`` [size], by name."""
        return {name: vector[place].reshape(shape) for name, shape, place in self.places()}


def digest(of: Any) -> str:
    """SHA-256 of what JSON has."""
    return hashlib.sha256(json.dumps(of).encode()).hexdigest()
