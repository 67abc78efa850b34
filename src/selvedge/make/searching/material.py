"""The samples of a search: those that train, and people whom no network has met, who teach it and judge it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ...errors import InvalidInput

HELD = 5  # one of so many people, or samples, is kept from training
Pair = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """``learn``: samples that the device meets first; ``test``: later ones, of the same person."""

    name: str
    learn: Pair
    test: Pair


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """``people``: one of no name where the data knows none, with samples that were kept from training. ``personal``:
    whether there are people."""

    train: Pair
    people: tuple[Person, ...]
    personal: bool
    classes: int
    digest: str

    @property
    def test(self) -> Pair:
        """Of all people."""
        return torch.cat([p.test[0] for p in self.people]), torch.cat([p.test[1] for p in self.people])

    @property
    def dummy(self) -> float:
        """The share of tests that the most frequent class of training is right in."""
        return float((self.test[1] == torch.bincount(self.train[1]).argmax()).double().mean())


def material(data: Any, who: Any, judges: int | None, seed: int) -> Material:
    """``data``: (x, y), x float32 [N, ...], y whole numbers [N]. ``who``: [N], of whom each sample is. judges: people
    kept from training, by default a fifth of them. Drawn by ``seed``, from those with two samples of a class.

    A person's samples are parted by class, the first half of each - in the order given, so that neighbours in time stay
    together - to learn from. Without people a fifth of the samples is kept, drawn by chance.
    """
    x, y = _pair(data)
    rng = np.random.default_rng([41, seed])
    digest = hashlib.sha256()
    for part in (x, y):
        digest.update(f"{part.shape}".encode())
        digest.update(np.ascontiguousarray(part).tobytes())
    if who is None:
        if judges is not None:
            raise InvalidInput("judges", judges, "give who=, of whom each sample is, or leave it out")
        order = rng.permutation(len(y))
        own = np.sort(order[: max(2, len(y) // HELD)])
        people = [person("", x, y, own)]
        rest = np.setdiff1d(np.arange(len(y)), own)
    else:
        persons = np.asarray(who)
        if persons.shape != (len(y),):
            raise InvalidInput("who", f"of shape {persons.shape}", f"give one of {len(y)} samples each")
        names = sorted(set(persons.tolist()))
        if len(names) < 2:
            fix = "give samples of two people or more, some to train and some to judge, or leave it out"
            raise InvalidInput("who", "of one person", fix)
        count = max(1, round(len(names) / HELD)) if judges is None else judges
        if not isinstance(count, int) or not 1 <= count < len(names):
            raise InvalidInput(
                "judges", count, f"give a whole number from 1 to {len(names) - 1}: there are {len(names)}"
            )
        able = [n for n in names if parts(y[persons == n])]
        if len(able) < count:
            fix = f"only {len(able)} people have two samples of a class, one to learn, one to test: give more"
            raise InvalidInput("judges", count, fix)
        drawn = [able[i] for i in sorted(rng.permutation(len(able))[:count])]
        people = [person(str(n), x, y, np.flatnonzero(persons == n)) for n in drawn]
        rest = np.flatnonzero(~np.isin(persons, drawn))
        digest.update("\0".join(map(str, persons.tolist())).encode())
    classes = int(y.max()) + 1
    missing = set(range(classes)) - set(y[rest].tolist())
    if missing:
        raise InvalidInput("data", f"without class {min(missing)} in training", "give samples of every class")
    return Material(_tensors(x, y, rest), tuple(people), who is not None, classes, digest.hexdigest())


def parts(y: npt.NDArray[Any]) -> bool:
    """Whether a person's samples can be parted: a class has two, one to learn and one to test."""
    return len(np.unique(y)) < len(y)


def person(name: str, x: npt.NDArray[Any], y: npt.NDArray[Any], rows: npt.NDArray[Any]) -> Person:
    """The samples ``rows`` as those of one person: by class, the first half to learn from."""
    halves: tuple[list[Any], list[Any]] = [], []
    for c in np.unique(y[rows]):
        own = rows[y[rows] == c]
        halves[0].append(own[: len(own) // 2])
        halves[1].append(own[len(own) // 2 :])
    learn, test = (np.sort(np.concatenate(h)) for h in halves)
    if not len(learn):
        raise InvalidInput("who", name or "everyone", "give at least two samples of a class, one to learn, one to test")
    return Person(name, _tensors(x, y, learn), _tensors(x, y, test))


def _tensors(x: npt.NDArray[Any], y: npt.NDArray[Any], rows: npt.NDArray[Any]) -> Pair:
    return torch.from_numpy(np.ascontiguousarray(x[rows])), torch.from_numpy(y[rows].astype(np.int64))


def _pair(data: Any) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    fix = "give (x, y): samples float32 [N, ...] and their classes, whole numbers from 0 [N]"
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise InvalidInput("data", f"of type {type(data).__name__}", fix)
    x, y = (np.asarray(part.detach() if hasattr(part, "detach") else part) for part in data)
    if x.ndim < 2 or x.dtype.kind not in "fiu" or y.ndim != 1 or y.dtype.kind not in "iu" or len(x) != len(y):
        raise InvalidInput("data", f"of {x.dtype} {list(x.shape)} and {y.dtype} {list(y.shape)}", fix)
    if len(y) < 64:
        raise InvalidInput("data", f"of {len(y)} samples", "give at least 64")
    if not np.isfinite(x).all():
        raise InvalidInput("data", "not finite", "remove NaN and infinity")
    if y.min() < 0 or y.max() < 1:
        raise InvalidInput("data", f"of classes {y.min()} to {y.max()}", "give at least two, from 0")
    return x.astype(np.float32), y.astype(np.int64)
