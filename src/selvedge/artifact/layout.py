"""How an array of PyTorch's lies in memory here: a permutation of its axes, then a reshape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Layout:
    """``stored = array.transpose(perm).reshape(shape)``.

    perm: stored axis i is PyTorch axis ``perm[i]``. shape: the stored shape. face: PyTorch's shape; it may be
    left out when ``shape`` only permutes it. Raises ``ValueError`` when the three do not agree.
    """

    perm: tuple[int, ...]
    shape: tuple[int, ...]
    face: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        rank = len(self.perm)
        if sorted(self.perm) != list(range(rank)):
            raise ValueError(f"perm is {self.perm}: it must order the axes 0..{rank - 1}")
        if not self.face and len(self.shape) == rank:
            object.__setattr__(self, "face", tuple(self.shape[self.perm.index(a)] for a in range(rank)))
        if len(self.face) != rank or prod(self.face) != prod(self.shape):
            raise ValueError(f"face is {self.face}: it must have {rank} axes and the elements of {self.shape}")

    @classmethod
    def of(cls, face: tuple[int, ...], perm: tuple[int, ...] | None = None) -> Layout:
        """The layout that only permutes an array of shape ``face`` (by default, leaves it alone)."""
        perm = tuple(range(len(face))) if perm is None else perm
        return cls(perm, tuple(face[a] for a in perm), face)

    @property
    def is_identity(self) -> bool:
        """Whether the stored bytes are PyTorch's own."""
        moving = [a for a in self.perm if self.face[a] != 1]
        return moving == sorted(moving)

    def store(self, array: np.ndarray) -> np.ndarray:
        """PyTorch's array -> the stored one, contiguous. Raises ``ValueError`` for another shape."""
        if array.shape != self.face:
            raise ValueError(f"shape is {array.shape}; must be {self.face}")
        return np.ascontiguousarray(array.transpose(self.perm)).reshape(self.shape)

    def restore(self, stored: np.ndarray) -> np.ndarray:
        """The stored array -> PyTorch's, contiguous. Raises ``ValueError`` for another shape."""
        if stored.shape != self.shape:
            raise ValueError(f"stored shape is {stored.shape}; must be {self.shape}")
        moved = stored.reshape([self.face[a] for a in self.perm])
        inverse = [self.perm.index(a) for a in range(len(self.perm))]
        return np.ascontiguousarray(moved.transpose(inverse)).reshape(self.face)

    def to_dict(self) -> dict[str, list[int]]:
        """Plain data for a manifest."""
        return {"perm": list(self.perm), "shape": list(self.shape), "face": list(self.face)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Layout:
        """The inverse of :meth:`to_dict`."""
        return cls(tuple(data["perm"]), tuple(data["shape"]), tuple(data["face"]))
