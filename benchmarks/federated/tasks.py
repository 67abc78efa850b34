"""Whose data it is: digits dealt unevenly, walks by person, characters by drawer, plays by speaker."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from torch import nn

from benchmarks.auto import sources
from benchmarks.live.motions import motions

from . import nets

Array = npt.NDArray[Any]
Pair = tuple[Array, Array]
FEWEST = 2000  # characters of a speaker who takes part
MOST = 2400  # of a speaker, so that a round is a round of many
CONTEXT = 32  # characters a window
CHARACTERS = 64  # of Omniglot's 242


@dataclass(frozen=True, slots=True)
class Task:
    """``devices``: (x, y) of each, which stay there. ``validation`` chooses, ``test`` tells; ``own``: whose a test
    sample is, int [n], or None where it is nobody's. ``net``: (width, classes) -> the model."""

    name: str
    devices: tuple[Pair, ...]
    validation: Pair
    test: Pair
    own: Array | None
    classes: int
    net: Callable[[float, int], nn.Module]

    def pooled(self) -> Pair:
        """All devices' samples: what no server ever has."""
        xs, ys = zip(*self.devices, strict=True)
        return np.concatenate(xs), np.concatenate(ys)


def digits(alpha: float, seed: int, count: int = 100) -> Task:
    """1,797 digits: 1,300 for ``count`` devices, each as many, of classes in shares that a Dirichlet of ``alpha``
    draws for each (Hsu et al., arXiv:1909.06335); 200 to choose by, 297 to be judged by."""
    found = load_digits()
    x, y = np.float32(found.images / 16).reshape(-1, 64), np.int32(found.target)
    draw = np.random.default_rng([51, seed])
    train, validation, test = np.split(draw.permutation(len(y)), [1300, 1500])
    devices = tuple((x[rows], y[rows]) for rows in dealt(train, y[train], count, alpha, draw))
    return Task(f"digits-{alpha:g}", devices, (x[validation], y[validation]), (x[test], y[test]), None, 10, nets.digits)


def dealt(rows: Array, y: Array, count: int, alpha: float, draw: np.random.Generator) -> list[Array]:
    """``rows``, of classes ``y``, to ``count`` devices, each as many; a class that has run out is drawn no more."""
    left = [list(draw.permutation(rows[y == label])) for label in range(y.max() + 1)]
    made = []
    for _ in range(count):
        shares = draw.dirichlet(np.full(len(left), alpha))
        own = []
        for _ in range(len(rows) // count):
            there = np.array([len(some) for some in left])
            now = np.where(there > 0, shares, 0)
            now = now / now.sum() if now.sum() > 1e-9 else there / there.sum()
            own.append(left[draw.choice(len(left), p=now)].pop())
        made.append(np.array(own))
    return made


def har(seed: int) -> Task:
    """Windows of one activity of 23 people; of each one's walks 60 % are learnt, 15 % choose, 25 % tell."""
    found = motions()
    draw = np.random.default_rng([52, seed])
    devices, parts, own = [], [[], []], []  # type: tuple[list[Pair], list[list[Array]], list[int]]
    for person in range(23):
        mine = found.clear & (found.who == person)
        walks = draw.permutation(np.unique(found.walk[mine]))
        cut = [round(0.6 * len(walks)), round(0.75 * len(walks))]
        train, *rest = (np.flatnonzero(mine & np.isin(found.walk, some)) for some in np.split(walks, cut))
        devices.append((found.x[train], found.y[train]))
        for part, rows in zip(parts, rest, strict=True):
            part.append(rows)
        own += [person] * len(rest[1])
    validation, test = (np.concatenate(part) for part in parts)
    return Task(
        "har", tuple(devices), (found.x[validation], found.y[validation]), (found.x[test], found.y[test]),
        np.array(own), 5, nets.walks,
    )  # fmt: skip


def omniglot(seed: int) -> Task:
    """64 characters by 20 drawers, who drew each once: of a drawer's 70 % are learnt, 10 % choose, 20 % tell. Whoever
    is asked for a character has not drawn it yet: what is known of it, others know."""
    x, y, drawer = sources.omniglot()
    draw = np.random.default_rng([53, seed])
    kept = draw.choice(int(y.max()) + 1, CHARACTERS, replace=False)
    once = np.zeros(len(y), bool)  # both archives hold some alphabets
    once[np.unique(np.stack([y, drawer]), axis=1, return_index=True)[1]] = True
    number = {int(k): i for i, k in enumerate(kept)}
    labels = np.array([number.get(int(k), -1) for k in y], np.int32)
    devices, parts, own = [], [[], []], []  # type: tuple[list[Pair], list[list[Array]], list[int]]
    for who in range(20):
        mine = draw.permutation(np.flatnonzero(once & (labels >= 0) & (drawer == who)))
        train, *rest = np.split(mine, [round(0.7 * len(mine)), round(0.8 * len(mine))])
        devices.append((x[train], labels[train]))
        for part, rows in zip(parts, rest, strict=True):
            part.append(rows)
        own += [who] * len(rest[1])
    validation, test = (np.concatenate(part) for part in parts)
    return Task(
        "omniglot", tuple(devices), (x[validation], labels[validation]), (x[test], labels[test]),
        np.array(own), CHARACTERS, nets.characters,
    )  # fmt: skip


def plays(seed: int) -> Task:
    """The next character of what 99 speakers say: of each one's windows of 32, 2,400 characters at the most, 70 % are
    learnt, 10 % choose, 20 % tell, drawn anew with each seed."""
    spoken, symbols = _speakers()
    draw = np.random.default_rng([54, seed])
    devices, parts, own = [], [[], []], []  # type: tuple[list[Pair], list[list[Pair]], list[int]]
    for number, text in enumerate(spoken):
        n = (min(len(text), MOST) - 1) // CONTEXT
        x, y = (text[i : i + n * CONTEXT].reshape(n, CONTEXT) for i in (0, 1))
        train, *rest = np.split(draw.permutation(n), [round(0.7 * n), round(0.8 * n)])
        devices.append((x[train], y[train]))
        for part, rows in zip(parts, rest, strict=True):
            part.append((x[rows], y[rows]))
        own += [number] * len(rest[1])
    validation, test = ((np.concatenate([p[0] for p in part]), np.concatenate([p[1] for p in part])) for part in parts)
    return Task("plays", tuple(devices), validation, test, np.array(own), symbols, nets.speech)


@lru_cache(maxsize=1)
def _speakers() -> tuple[list[Array], int]:
    """What each of them says, int32, who says most first; and how many symbols there are."""
    text = gzip.decompress((sources.FOLDER / "tinyshakespeare" / "input.txt.gz").read_bytes()).decode("ascii")
    code = {character: i for i, character in enumerate(sorted(set(text)))}
    said: dict[str, list[str]] = {}
    for block in text.split("\n\n"):
        name, colon, words = block.strip("\n").partition(":\n")
        if colon and "\n" not in name:
            said.setdefault(name, []).append(words + "\n\n")
    whole = ["".join(said[name]) for name in sorted(said)]
    kept = sorted((t for t in whole if len(t) >= FEWEST), key=len, reverse=True)
    return [np.array([code[c] for c in t], np.int32) for t in kept], len(code)


TASKS: Mapping[str, Callable[[int], Task]] = {
    "digits-0.3": partial(digits, 0.3),
    "digits-0.1": partial(digits, 0.1),
    "har": har,
    "omniglot": omniglot,
    "plays": plays,
}
NEEDS = {"har": "har_sp_sw_23subjects", "omniglot": "omniglot_small", "plays": "tinyshakespeare"}


def absent(name: str) -> str | None:
    """The folder that a task needs, if it is not there."""
    if name not in NEEDS or (sources.FOLDER / NEEDS[name]).is_dir():
        return None
    return str(sources.FOLDER / NEEDS[name])
