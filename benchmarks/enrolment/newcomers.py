"""What is new: a keyword, a speaker, a character or an activity; five examples of it, and all that was known before."""

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
Pair = tuple[Array, Array]
FEW = 5
TEACHING = 256  # of the anchor, from what the model was trained on; the others only judge, and it has not seen them
VALIDATION = 100  # from this seed on: draws on which settings were chosen, in no table


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Pairs (x, y) of the ``known`` classes 0..known-1: ``train`` makes the model, ``judges`` ship with it, ``test`` is
    asked. Of the new one: ``few`` examples, and ``asked``, both [n, ...]."""

    name: str
    known: int
    train: Pair
    judges: Pair
    test: Pair
    few: Array
    asked: Array


@dataclass(frozen=True, slots=True)
class Kind:
    """``newcomer``: (fold, seed) -> Newcomer, of ``folds`` many a seed. ``make``: the network of so many outputs.
    ``augment``: of batches, when the model is made and on the device. train: updates that make the model, of 32."""

    newcomer: Callable[[int, int], Newcomer]
    folds: int
    make: Callable[[int], nn.Sequential]
    shape: tuple[int, ...]
    augment: Callable[[Array, Draws], Array]
    train: int
    device: str
    needs: str


def _keyword(fold: int, seed: int) -> Newcomer:
    """A digit that the model has not heard, said by one of the six speakers whom it has heard say the others."""
    x, y, who = sources.fsdd()
    new, owner = (2 * fold + seed) % 10, (fold + seed) % 6
    draw = np.random.default_rng([31, fold, seed])
    own = draw.permutation(np.flatnonzero((y == new) & (who == owner)))
    known = draw.permutation(np.flatnonzero(y != new))
    return _of(str(new), x, y, known, own[:FEW], own[FEW:])


def _speaker(fold: int, seed: int) -> Newcomer:
    """A speaker whom the model has not heard, saying any five digits; asked for other clips, of all ten."""
    x, _, who = sources.fsdd()
    new = (fold + seed) % 6
    draw = np.random.default_rng([32, fold, seed])
    own, known = (draw.permutation(np.flatnonzero(rows)) for rows in (who == new, who != new))
    return _of(f"speaker {new}", x, who, known, own[:FEW], own[FEW:])


def _character(fold: int, seed: int) -> Newcomer:
    """A character that the model, of 150 others, has not seen, by five drawers; asked for those of the other fifteen.
    The model is the same in all folds of a seed."""
    x, y, drawer = sources.omniglot()
    once = np.unique(20 * y + drawer, return_index=True)[1]  # an alphabet lies in both archives
    x, y, drawer = x[once], y[once], drawer[once]
    draw = np.random.default_rng([33, seed])
    characters = draw.permutation(y.max() + 1)
    new, familiar = characters[-1 - fold], characters[:150]
    place = draw.permuted(np.tile(np.arange(20), (len(characters), 1)), axis=1)[y, drawer]
    own = np.random.default_rng([34, fold, seed]).permutation(np.flatnonzero(y == new))
    rows = [draw.permutation(np.flatnonzero((low <= place) & (place < high) & np.isin(y, familiar)))
            for low, high in ((0, 9), (9, 16), (16, 20))]  # fmt: skip
    return _parted(f"character {new}", x, y, *rows, own[:FEW], own[FEW:])


def _activity(fold: int, seed: int) -> Newcomer:
    """An activity that the model has not seen, of a person whom it knows: five seconds of the earlier half of their
    walks; asked for those of the later half. The known ones are parted by walks, as seconds of a walk overlap."""
    x, y, who, walk = sources.har()
    new = fold % 5
    draw = np.random.default_rng([35, fold, seed])
    few, asked = next(
        found for person in draw.permutation(23)
        if (found := _halves(who, walk, np.flatnonzero((who == person) & (y == new)), draw))
    )  # fmt: skip
    each = who * 1000 + walk
    order = draw.permutation(np.unique(each))
    n = len(order)
    cuts = [order[: 9 * n // 20], order[9 * n // 20 : 4 * n // 5], order[4 * n // 5 :]]
    rows = [draw.permutation(np.flatnonzero(np.isin(each, cut) & (y != new))) for cut in cuts]
    return _parted(sources.ACTIVITIES[new].lower(), x, y, *rows, few, asked)


def _halves(who: Array, walk: Array, own: Array, draw: np.random.Generator) -> tuple[Array, Array] | None:
    """Of the rows ``own`` of a person: five of the earlier half of the walks, all of the later; or None if too few."""
    walks = np.unique(walk[who == who[own[0]]])
    early = np.isin(walk[own], walks[: len(walks) // 2])
    return (draw.choice(own[early], FEW, replace=False), own[~early]) if FEW <= early.sum() <= len(own) - FEW else None


def _of(name: str, x: Array, y: Array, known: Array, few: Array, asked: Array) -> Newcomer:
    n = len(known)
    return _parted(name, x, y, known[: 9 * n // 20], known[9 * n // 20 : 4 * n // 5], known[4 * n // 5 :], few, asked)


def _parted(
    name: str, x: Array, y: Array, train: Array, judges: Array, test: Array, few: Array, asked: Array
) -> Newcomer:
    classes = np.unique(y[train])
    pairs = [(x[rows], np.searchsorted(classes, y[rows]).astype(np.int32)) for rows in (train, judges, test)]
    return Newcomer(name, len(classes), pairs[0], pairs[1], pairs[2], x[few], x[asked])


def _sounds(x: Array, draws: Draws) -> Array:
    """Log-mel pictures [n, 1, frames, bands], moved by up to four frames and a band, louder or softer, with noise."""
    late, high = draws.below(9, len(x)) - 4, draws.below(3, len(x)) - 1
    moved = np.stack([np.roll(a, (n, m), (1, 2)) for a, n, m in zip(x, late, high, strict=True)])
    loud = np.float32(0.85) + np.float32(0.3) * draws.uniform(len(x), 1, 1, 1)
    return np.asarray(moved * loud + np.float32(0.1) * draws.normal(*x.shape), np.float32)


def _drawings(x: Array, draws: Draws) -> Array:
    """Pictures [n, 1, 28, 28], leaning by up to 0.2 of their height and moved by up to two pixels each way."""
    lean, across, down = draws.uniform(len(x)) * 0.4 - 0.2, draws.below(5, len(x)) - 2, draws.below(5, len(x)) - 2
    rows = np.arange(x.shape[2])
    columns = np.arange(x.shape[3])
    out = np.empty_like(x)
    for i, a in enumerate(x):
        leant = np.rint(lean[i] * (rows - 13.5)).astype(int) + across[i]
        source = (columns[None] - leant[:, None]) % x.shape[3]
        out[i, 0] = np.roll(np.take_along_axis(a[0], source, 1), down[i], 0)
    return out


def _motions(x: Array, draws: Draws) -> Array:
    """Seconds of six axes [n, 6, steps], moved by up to 10 steps, stronger or weaker by axis, with noise."""
    late = draws.below(21, len(x)) - 10
    moved = np.stack([np.roll(a, n, 1) for a, n in zip(x, late, strict=True)])
    strong = np.float32(0.85) + np.float32(0.3) * draws.uniform(len(x), x.shape[1], 1)
    return np.asarray(moved * strong + np.float32(0.02) * draws.normal(*x.shape), np.float32)


KINDS: Mapping[str, Kind] = {
    "keyword": Kind(_keyword, 3, nets.pictures, (1, 32, 20), _sounds, 500, "stm32f746", "fsdd"),
    "speaker": Kind(_speaker, 3, nets.pictures, (1, 32, 20), _sounds, 500, "stm32f746", "fsdd"),
    "character": Kind(_character, 3, nets.pictures, (1, 28, 28), _drawings, 1000, "stm32f746", "omniglot_small"),
    "activity": Kind(_activity, 5, nets.series, (6, 100), _motions, 800, "nrf52840", "har_sp_sw_23subjects"),
}  # fmt: skip


def absent(kind: str) -> str | None:
    """The folder that a kind needs, if it is not there."""
    folder = sources.FOLDER / KINDS[kind].needs
    return None if folder.is_dir() else str(folder)
