"""The part of a model that a device can train: channels by name (HeteroFL, arXiv:2010.01264; FedRolex, 2212.01548)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import lcm

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from .layout import Layout, Shape, digest

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cover:
    """``indices``: by name, for each axis which indices a device has, in its own order; () means all of an axis. A name
    that is missing is not on the device."""

    whole: Layout
    indices: Mapping[str, tuple[tuple[int, ...], ...]]

    def __post_init__(self) -> None:
        for name, axes in self.indices.items():
            shape = self.whole.shapes.get(name)
            if shape is None:
                raise InvalidInput("cover", name, f"the model has {', '.join(list(self.whole.shapes)[:4])}, ...")
            if len(axes) != len(shape):
                raise InvalidInput(f"cover {name}", f"of {len(axes)} axes", f"the array has {len(shape)}")
            for axis, size in zip(axes, shape, strict=True):
                if len(set(axis)) != len(axis) or any(not 0 <= i < size for i in axis):
                    raise InvalidInput(
                        f"cover {name}", f"indices {axis}", f"give each of 0..{size - 1} once at the most"
                    )

    @classmethod
    def all(cls, whole: Layout) -> Cover:
        return cls(whole, {n: ((),) * len(s) for n, s in whole.shapes.items()})

    period = 1  # after how many tasks it is the same again

    def at(self, task: int) -> Cover:
        """That of a task: always the same one."""
        return self

    @cached_property
    def digest(self) -> str:
        """Of which elements it has."""
        return digest([[n, [list(axis) for axis in axes]] for n, axes in self.indices.items()])

    @cached_property
    def is_whole(self) -> bool:
        return self.part.shapes == self.whole.shapes and all(not any(axes) for axes in self.indices.values())

    @cached_property
    def part(self) -> Layout:
        """What the device has."""
        return Layout({n: self._shape(n) for n in self.whole.shapes if n in self.indices})

    @cached_property
    def where(self) -> Indices:
        """int64 [part.size]: the place in the whole vector of each element of the part's."""
        found, starts = [], {name: place.start for name, _, place in self.whole.places()}
        for name in self.part.shapes:
            shape = self.whole.shapes[name]
            axes = [np.array(a or range(n)) for a, n in zip(self.indices[name], shape, strict=True)]
            grid = np.ravel_multi_index(np.ix_(*axes), shape) if shape else np.zeros((), np.int64)
            found.append(starts[name] + np.asarray(grid, np.int64).reshape(-1))
        return np.concatenate(found)

    def _shape(self, name: str) -> Shape:
        return tuple(len(a) or n for a, n in zip(self.indices[name], self.whole.shapes[name], strict=True))


class Rolling:
    """``part`` of ``whole`` by :func:`widths`, whose channels begin one further on with each task (FedRolex): after
    :attr:`period` of them all elements have been learnt alike."""

    def __init__(self, whole: Layout, part: Layout) -> None:
        """Raises ``InvalidInput`` where ``part`` is none."""
        self.whole, self.part = whole, widths(whole, part, 0).part
        axes = [(a, b) for n, small in part.shapes.items() for a, b in zip(small, whole.shapes[n], strict=True)]
        self.period = lcm(*(b for a, b in axes if a < b))
        self.is_whole = False if self.period > 1 else self.part.shapes == whole.shapes
        self.digest = digest(["rolling", [[n, list(s)] for n, s in self.part.shapes.items()]])
        self._last = 0, widths(whole, self.part, 0)

    def at(self, task: int) -> Cover:
        """That of a task."""
        number = task % self.period
        if self._last[0] != number:
            self._last = number, widths(self.whole, self.part, number)
        return self._last[1]


def widths(whole: Layout, part: Layout, round_number: int | None = None) -> Cover:
    """A narrower model of the same names: of each axis the first channels, as HeteroFL has them; or, with the number of
    the round, those from there on, around the end, as FedRolex has them. Raises ``InvalidInput`` where ``part`` is
    none.

    An axis of equal length is whole. Axes that are as long have the same channels, so that what one layer makes is what
    the next one reads.
    """
    indices = {}
    for name, small in part.shapes.items():
        large = whole.shapes.get(name, ())
        if len(small) != len(large) or any(a > b for a, b in zip(small, large, strict=True)):
            raise InvalidInput(f"part {name}", list(small), f"it is to be cut out of {list(large)}")
        first = round_number or 0
        indices[name] = tuple(
            () if a == b else tuple((first + i) % b for i in range(a)) for a, b in zip(small, large, strict=True)
        )
    return Cover(whole, indices)
