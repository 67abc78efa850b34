"""A person whose device learns: what all others gave to the model, their own few samples, what is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

import selvedge as sv
from benchmarks.auto import sources

from . import nets
from .motions import motions
from .sounds import sounds

Array = npt.NDArray[Any]
ANCHOR = 600  # samples of others that ship with the model; it was not trained on them


@dataclass(frozen=True, slots=True)
class Person:
    """Pairs (x, y): ``others`` train the model, ``anchor`` ships with it, ``own`` is learnt in this order, ``test`` is
    asked; ``clear``: whether of one class, and not of a transition between two, for each of ``test``."""

    others: tuple[Array, Array]
    anchor: tuple[Array, Array]
    own: tuple[Array, Array]
    test: tuple[Array, Array]
    clear: Array


@dataclass(frozen=True, slots=True)
class Recipe:
    """name: of its hyper-parameters. ``person``: (number, seed, whether those are being chosen) -> Person, of
    ``people`` many. ``make``: the network, for ``shape`` of a sample. ``augment``: of batches, while the model is made;
    ``varied``: on the device. codec: of own samples in memory. budget: RAM in bytes of all that learning takes, or
    None. needs: a folder of data."""

    name: str
    person: Callable[[int, int, bool], Person]
    people: int
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    augment: sv.Augment
    varied: sv.Augment
    codec: str
    budget: int | None
    device: str
    needs: str


def _speaker(number: int, seed: int, choosing: bool) -> Person:
    """Five own examples of each spoken digit; the other 450 clips are asked. While hyper-parameters are chosen both are
    of other draws."""
    x, y, who = sounds()
    draw = np.random.default_rng([20 if choosing else 21, number, seed])
    own = np.flatnonzero(who == number)
    few = draw.permutation(np.concatenate([draw.choice(own[y[own] == digit], 5, replace=False) for digit in range(10)]))
    rest = np.setdiff1d(own, few)
    return _parted(x, y, who != number, np.arange(len(y)), few, rest, np.ones(len(rest), bool), draw)


def _subject(number: int, seed: int, choosing: bool) -> Person:
    """The earlier half of a person's walks is learnt, in order; the later half is asked. While hyper-parameters are
    chosen the later half is not touched: the earlier one is parted in the same way."""
    found = motions()
    walks = np.unique(found.walk[found.who == number])
    walks = walks[: len(walks) // 2] if choosing else walks
    own = (found.who == number) & np.isin(found.walk, walks)
    early = np.isin(found.walk, walks[: len(walks) // 2])
    test = np.flatnonzero(own & ~early)
    return _parted(
        found.x, found.y, (found.who != number) & found.clear, found.walk + 1000 * found.who,
        np.flatnonzero(own & early & found.clear), test, found.clear[test], np.random.default_rng([22, number, seed]),
    )  # fmt: skip


def _parted(
    x: Array, y: Array, other: Array, whole: Array, own: Array, test: Array, clear: Array, draw: np.random.Generator
) -> Person:
    """``whole``: what each sample is a piece of; no two pieces of one are in the anchor and in what trains the model,
    for windows of a walk overlap."""
    others = draw.permutation(np.flatnonzero(other))
    apart = draw.permutation(np.unique(whole[others]))
    enough = np.cumsum([(whole[others] == one).sum() for one in apart]).searchsorted(ANCHOR) + 1
    away = np.isin(whole[others], apart[:enough])
    parts = ((x[rows], y[rows]) for rows in (others[~away], others[away][:ANCHOR], own, test))
    return Person(*parts, clear)


# Log-mel pictures [n, 1, frames, bands]: said later or slower, with another throat, louder, with noise.
SOUNDS = sv.Augment(
    sv.Stretch(0.15, axis=1), sv.Stretch(0.1, axis=2), sv.Shift(4, axis=1), sv.Shift(1, axis=2), sv.Gain(0.85, 1.15),
    sv.Noise(0.15),
)  # fmt: skip
# On the device, of one throat: its bands stay where they are.
OWN_SOUNDS = sv.Augment(sv.Stretch(0.15, axis=1), sv.Stretch(0.05, axis=2), sv.Shift(4, axis=1), sv.Noise(0.15))
# Windows of six axes [n, 6, steps]: the phone lies otherwise in the pocket, steps are earlier or later, or stronger.
MOTIONS = sv.Augment(sv.Rotate(17, half_turns=True), sv.Shift(3), sv.Gain(0.85, 1.15, channels=True), sv.Noise(0.02))

RECIPES: Mapping[str, Recipe] = {
    "speech": Recipe(
        "speech", _speaker, 6, nets.speech, (1, 32, 20), SOUNDS, OWN_SOUNDS, "half+int8", 64 << 10, "stm32f746", "fsdd",
    ),
    "activity": Recipe(
        "activity", _subject, 23, nets.activity, (6, 64), MOTIONS, MOTIONS, "int8", None, "nrf52840",
        "har_sp_sw_23subjects",
    ),
}  # fmt: skip


def absent(recipe: str) -> str | None:
    """The folder that a recipe needs, if it is not there."""
    folder = sources.FOLDER / RECIPES[recipe].needs
    return None if folder.is_dir() else str(folder)
