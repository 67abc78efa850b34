"""Between a kind of data and a data set: samples that are not normalised yet, since that looks at training samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..artifact.features import Features
from ..artifact.preprocess import Preprocess
from .dataset import Array, Indices, Rows
from .spec import Spec

Finished = tuple[Rows, Preprocess | None, Features | None]


@dataclass(frozen=True, slots=True)
class Raw:
    """``finish(train)``: the samples, normalised by what those numbered ``train`` show. ``targets``: class names, or
    numbers, one a sample; None without targets. ``groups``, ``parts``: one a sample, or None."""

    count: int
    finish: Callable[[Indices], Finished]
    targets: Sequence[str] | Array | None
    groups: Sequence[str] | None
    parts: Sequence[str] | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Data that has been looked at, not read: its kind, its classes' names, the shape its samples have by themselves,
    and the way to read it for a model that takes ``shape``: ``read(shape)``."""

    spec: Spec
    kind: str
    labels: tuple[str, ...]
    natural: tuple[int, ...]
    read: Callable[[tuple[int, ...]], Raw]

    @property
    def name(self) -> str:
        return str(self.spec)


def moments(x: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Mean and standard deviation over everything; 1 where nothing varies."""
    mean, std = float(x.mean(dtype=np.float64)), float(x.std(dtype=np.float64))
    return mean, std if std > 1e-12 else 1.0


def normalised(x: npt.NDArray[np.float32], mean: Array | float, std: Array | float) -> npt.NDArray[np.float32]:
    """(x - mean) / std in float32: training and predicting do the same operations in the same order."""
    return np.asarray((x - np.asarray(mean, np.float32)) / np.asarray(std, np.float32))
