"""The three tasks: data split into training, validation and test, and a network of 6,000 to 12,000 parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from torch import nn

from benchmarks.auto import sources
from benchmarks.auto.nets import one_dimensional, two_dimensional
from benchmarks.auto.sources import Array

Pair = tuple[Array, Array]
FOLDS = 10


@dataclass(frozen=True, slots=True)
class Task:
    """``epochs``: in all, for everyone."""

    name: str
    make: Callable[[], nn.Module]
    train: Pair
    validation: Pair
    test: Pair
    epochs: int


def mnist(seed: int, fold: int) -> Task:
    """9,000 of the first 12,000 digits train, 1,000 validate, 2,000 test; drawn by seed."""
    x, y = sources.mnist()
    parts = np.split(np.random.default_rng([11, seed]).permutation(len(y)), [9000, 10000])
    return Task("mnist", lambda: two_dimensional(10), *((x[p], y[p]) for p in parts), 10)


def fsdd(seed: int, fold: int) -> Task:
    """A tenth of the 3,000 clips tests, another validates: ten folds in all, drawn by seed."""
    x, y, _ = sources.fsdd()
    tenths = np.array_split(np.random.default_rng([12, seed]).permutation(len(y)), FOLDS)
    test, validation = tenths[fold], tenths[(fold + 1) % FOLDS]
    train = np.concatenate([t for i, t in enumerate(tenths) if i not in (fold, (fold + 1) % FOLDS)])
    return Task("fsdd", lambda: two_dimensional(10), *((x[p], y[p]) for p in (train, validation, test)), 12)


def har(seed: int, fold: int) -> Task:
    """15 of the 23 subjects train, 3 validate, 5 test: nobody is in two parts; drawn by seed."""
    x, y, subject, _ = sources.har()
    who = np.split(np.random.default_rng([13, seed]).permutation(23), [15, 18])
    rows = [np.flatnonzero(np.isin(subject, w)) for w in who]
    return Task("har", lambda: one_dimensional(5), *((x[r], y[r]) for r in rows), 10)


TASKS: Mapping[str, tuple[Callable[[int, int], Task], int]] = {
    "har": (har, 1),
    "mnist": (mnist, 1),
    "fsdd": (fsdd, FOLDS),
}
NEEDS = {"har": "har_sp_sw_23subjects", "mnist": "mnist_png", "fsdd": "fsdd"}


def absent(task: str) -> str | None:
    """The folder that ``task`` needs, if it is not there."""
    folder = sources.FOLDER / NEEDS[task]
    return None if folder.is_dir() else str(folder)
