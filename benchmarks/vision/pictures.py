"""What is seen: pictures of three data sets, or of one's own folder, divided so that no picture has two parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.auto import sources
from benchmarks.never_worse.digits import sheet

Array = npt.NDArray[Any]
Part = tuple[Array, Array]
CHOOSING = 100  # seeds from here on choose hyper-parameters: of the digits other sheets, of the characters others


@dataclass(frozen=True, slots=True)
class Pictures:
    """Scenes in 0..1, float32 [n, channels, height, width], and classes: ``train`` makes the model, ``judges`` hold the
    learner to what it began with, ``stream`` passes before the camera, ``test`` is only asked."""

    train: Part
    judges: Part
    stream: Part
    test: Part
    classes: int


def digits(seed: int) -> Pictures:
    """MNIST: 4,000 train, 1,000 judge, 1,500 pass, 1,000 are asked."""
    first = 4 if seed >= CHOOSING else 0
    parts = [sheet(number) for number in range(first, first + 4)]
    x, y = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.random.default_rng([31, seed]).permutation(len(y))
    rows = np.split(order, [4000, 5000, 6500, 7500])[:4]
    return _made(np.float32(x / 255), y, rows)


def clothes(seed: int) -> Pictures:
    """Fashion-MNIST's sprite of 900: of each of ten classes 40 train, 20 judge, 15 pass, 15 are asked."""
    x, y = sources.fashion()
    return _made(x, y, _each(y, (40, 20, 15, 15), np.random.default_rng([32, seed])))


def characters(seed: int) -> Pictures:
    """Omniglot: 20 characters; 7 of the 20 drawers train, 6 judge, 3 pass, 4 are asked."""
    x, y, drawers = sources.omniglot()
    draw = np.random.default_rng([33, seed])
    chosen = draw.choice(np.arange(int(seed >= CHOOSING), y.max() + 1, 2), 20, replace=False)
    who = np.split(draw.permutation(20), [7, 13, 16])
    once = np.zeros(len(y), bool)  # both archives hold some alphabets
    once[np.unique(np.stack([y, drawers]), axis=1, return_index=True)[1]] = True
    rows = [np.flatnonzero(once & np.isin(y, chosen) & np.isin(drawers, some)) for some in who]
    return _made(x, np.searchsorted(np.sort(chosen), y), rows)


def own(x: Array, y: Array, seed: int) -> Pictures:
    """Any: half of each class trains; of the rest a third each judges, passes and is asked."""
    count = np.bincount(y)
    rows: list[list[Array]] = [[], [], [], []]
    draw = np.random.default_rng([34, seed])
    for label, n in enumerate(count):
        order = draw.permutation(np.flatnonzero(y == label))
        rest = n - n // 2
        for part, some in zip(rows, np.split(order, [n // 2, n // 2 + rest // 3, n // 2 + 2 * rest // 3]), strict=True):
            part.append(some)
    return _made(x, y, [np.concatenate(part) for part in rows])


SETS: Mapping[str, Callable[[int], Pictures]] = {"mnist": digits, "fashion": clothes, "omniglot": characters}
NEEDS = {"mnist": "mnist_png", "fashion": "fashion_mnist_sprite900", "omniglot": "omniglot_small"}


def absent(name: str) -> str | None:
    """The folder that a data set needs, if it is not there."""
    folder = sources.FOLDER / NEEDS[name]
    return None if folder.is_dir() else str(folder)


def _each(y: Array, sizes: tuple[int, ...], draw: np.random.Generator) -> list[Array]:
    """Rows of so many of each class, part by part."""
    orders = [draw.permutation(np.flatnonzero(y == label)) for label in range(y.max() + 1)]
    ends = np.cumsum(sizes)
    return [
        np.concatenate([order[end - size : end] for order in orders]) for size, end in zip(sizes, ends, strict=True)
    ]


def _made(x: Array, y: Array, rows: list[Array]) -> Pictures:
    draw = np.random.default_rng(40)  # judges, and what is mixed into batches, lie in an order without a pattern
    rows = [draw.permutation(some) for some in rows]
    parts = [(x[some], y[some].astype(np.int32)) for some in rows]
    return Pictures(*parts, classes=int(max(part[1].max() for part in parts)) + 1)
