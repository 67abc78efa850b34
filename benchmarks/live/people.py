"""A person whose device learns: what all others gave to the model, their own few samples, what is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from benchmarks.auto import sources
from selvedge.learn.draws import Draws

from . import nets

Array = npt.NDArray[Any]
ANCHOR = 600  # samples of others that ship with the model; it was not trained on them


@dataclass(frozen=True, slots=True)
class Person:
    """Pairs (x, y): ``others`` train the model, ``anchor`` ships with it, ``own`` is learnt in this order, ``test`` is
    asked."""

    others: tuple[Array, Array]
    anchor: tuple[Array, Array]
    own: tuple[Array, Array]
    test: tuple[Array, Array]


@dataclass(frozen=True, slots=True)
class Recipe:
    """``person``: (number, seed) -> Person, of ``people`` many. ``make``: the network, for ``shape`` of a sample.
    ``augment``: of batches, while the model is made and on the device. codec: of own samples in memory. budget: RAM in
    bytes of all that learning takes, or None. train: updates that make the model, of 32 samples."""

    person: Callable[[int, int], Person]
    people: int
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    augment: Callable[[Array, Draws], Array]
    codec: str
    budget: int | None
    device: str
    train: int
    needs: str


def _speaker(number: int, seed: int) -> Person:
    """Five own examples of each spoken digit; the other 450 clips are asked."""
    x, y, who = sources.fsdd()
    draw = np.random.default_rng([21, number, seed])
    own = np.flatnonzero(who == number)
    few = draw.permutation(np.concatenate([draw.choice(own[y[own] == digit], 5, replace=False) for digit in range(10)]))
    return _parted(x, y, who != number, few, np.setdiff1d(own, few), draw)


def _subject(number: int, seed: int) -> Person:
    """The earlier half of a person's walks is learnt, in order; the later half is asked."""
    x, y, who, walk = sources.har()
    own = np.flatnonzero(who == number)
    early = np.isin(walk[own], np.unique(walk[own])[: len(np.unique(walk[own])) // 2])
    return _parted(x, y, who != number, own[early], own[~early], np.random.default_rng([22, number, seed]))


def _parted(x: Array, y: Array, other: Array, own: Array, test: Array, draw: np.random.Generator) -> Person:
    others = draw.permutation(np.flatnonzero(other))
    return Person(*((x[rows], y[rows]) for rows in (others[ANCHOR:], others[:ANCHOR], own, test)))


def _sounds(x: Array, draws: Draws) -> Array:
    """Log-mel pictures [n, 1, frames, bands], moved by up to five frames and a band, louder or softer, with noise."""
    late, high = draws.below(11, len(x)) - 5, draws.below(3, len(x)) - 1
    moved = np.stack([np.roll(a, (n, m), (1, 2)) for a, n, m in zip(x, late, high, strict=True)])
    loud = np.float32(0.8) + np.float32(0.4) * draws.uniform(len(x), 1, 1, 1)
    return np.asarray(moved * loud + np.float32(0.1) * draws.normal(*x.shape), np.float32)


def _motions(x: Array, draws: Draws) -> Array:
    """Seconds of six axes [n, 6, steps], moved by up to 10 steps, stronger or weaker by axis, with noise."""
    late = draws.below(21, len(x)) - 10
    moved = np.stack([np.roll(a, n, 1) for a, n in zip(x, late, strict=True)])
    strong = np.float32(0.85) + np.float32(0.3) * draws.uniform(len(x), x.shape[1], 1)
    return np.asarray(moved * strong + np.float32(0.02) * draws.normal(*x.shape), np.float32)


RECIPES: Mapping[str, Recipe] = {
    "speech": Recipe(
        _speaker, 6, nets.speech, (1, 32, 20), _sounds, "half+int8", 64 << 10, "stm32f746", 1500, "fsdd",
    ),
    "activity": Recipe(
        _subject, 23, nets.activity, (6, 100), _motions, "int8", None, "nrf52840", 1500, "har_sp_sw_23subjects",
    ),
}  # fmt: skip


def absent(recipe: str) -> str | None:
    """The folder that a recipe needs, if it is not there."""
    folder = sources.FOLDER / RECIPES[recipe].needs
    return None if folder.is_dir() else str(folder)
