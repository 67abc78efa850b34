"""What every policy promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from .labels import Labels
from .random import SplitMix64

Arrays = Mapping[str, tuple[tuple[int, ...], str]]


@dataclass(frozen=True, slots=True)
class Held:
    """What a policy looks at. ``count``: uint32 [1]. ``state``: its own arrays by name, to be written in place."""

    capacity: int
    classes: int
    count: npt.NDArray[np.uint32]
    labels: Labels
    state: Mapping[str, npt.NDArray[Any]]
    random: SplitMix64

    def __len__(self) -> int:
        return int(self.count[0])

    def of_each(self) -> npt.NDArray[np.intp]:
        """Samples held of each class, [classes]."""
        return np.bincount(self.labels.first(len(self)), minlength=self.classes)


@runtime_checkable
class Policy(Protocol):
    """Which sample goes where, and which one it takes the place of; what it remembers for that is in ``Held.state``."""

    def fixed(self, classes: int) -> Arrays:
        """Names, shapes and dtypes of what it remembers beside the samples."""

    def each(self) -> Arrays:
        """The same, of what it remembers of every sample: without the axis of the samples."""

    def slot(self, held: Held, sample: npt.NDArray[Any], label: int) -> int | None:
        """Where a new sample goes, the next free place first; None to let it pass. What was seen is counted here."""

    def written(self, held: Held, slot: int, sample: npt.NDArray[Any], new: bool) -> None:
        """Called when the sample and its label lie there; ``new``: the place was free."""

    def fault(self, state: Mapping[str, npt.NDArray[Any]], of_each: npt.NDArray[np.intp]) -> str | None:
        """What a state that holds so many of each class cannot be, or None. Shapes and dtypes are right already."""


def counted(seen: npt.NDArray[Any], at: int) -> None:
    """One more; a counter that stands at its end only makes the samples age a little more slowly."""
    seen[at] = min(int(seen[at]) + 1, 0xFFFFFFFF)
