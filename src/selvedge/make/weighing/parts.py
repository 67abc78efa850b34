"""The data in three parts: what trains, what chooses the epoch, and what has the last word."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...data import Dataset
from ...errors import InvalidInput
from ...learn.metrics import Arrays, Score

Array = npt.NDArray[Any]
NAMES = ("train", "validation", "test")
LEAST = 2  # training samples


@dataclass(frozen=True, slots=True)
class Parts:
    """x [N, ...] in float32 and y: class numbers [N, ...] in int64, values in float32, the inputs themselves where they
    are to be built again."""

    train: Arrays
    validation: Arrays
    test: Arrays

    @classmethod
    def of(cls, data: Any, loss: str) -> Parts:
        """data: a :class:`selvedge.data.Dataset`, or (train, validation, test), each a pair (x, y), y None for
        "reconstruction". Raises ``InvalidInput``."""
        if isinstance(data, Dataset):
            data = [_taken(data, name) for name in NAMES]
        if not isinstance(data, tuple | list) or len(data) != len(NAMES):
            fix = "give a data set, or (train, validation, test), each a pair (x, y)"
            raise InvalidInput("data", f"of type {type(data).__name__}", fix)
        made = [_arrays(name, pair, loss) for name, pair in zip(NAMES, data, strict=True)]
        for name, part in zip(NAMES, made, strict=True):
            if part.x.shape[1:] != made[0].x.shape[1:]:
                fix = f"those of train are {list(made[0].x.shape[1:])}: give all in one shape"
                raise InvalidInput(f"samples of {name}", list(part.x.shape[1:]), fix)
        if len(made[0]) < LEAST:
            raise InvalidInput("data train", f"of {len(made[0])} sample", f"give at least {LEAST}")
        return cls(*made)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a sample."""
        return tuple(self.train.x.shape[1:])

    @property
    def sizes(self) -> dict[str, int]:
        return {name: len(getattr(self, name)) for name in NAMES}

    def some(self, count: int, seed: int) -> tuple[Tensor, Tensor]:
        """Training samples drawn by ``seed``, at most ``count``."""
        rows = np.sort(np.random.default_rng([5, seed]).permutation(len(self.train))[:count])
        x, y = self.train.take(rows)
        return torch.from_numpy(x), torch.from_numpy(np.asarray(y))

    def digest(self) -> str:
        """SHA-256 of all of it."""
        found = hashlib.sha256()
        for name in NAMES:
            part = getattr(self, name)
            for array in (part.x, part.y):
                found.update(f"{array.dtype}{array.shape}".encode())
                found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()

    def guessing(self, loss: str) -> Score:
        """Of the test part without a model: the training part's commonest class, at the loss of its classes' shares;
        the mean of its targets where there are no classes."""
        known, asked = self.train.y, self.test.y
        assert known is not None
        assert asked is not None
        if loss == "cross_entropy":
            shares = np.bincount(known.ravel(), minlength=int(asked.max()) + 1) / known.size
            with np.errstate(divide="ignore"):
                losses = np.minimum(-np.log(shares[asked.ravel()]), 50.0)
            return Score(float(losses.mean()), float((asked == shares.argmax()).mean()))
        mean = known.mean(0, dtype=np.float64)
        if loss != "bce_with_logits":
            return Score(float(((asked - mean) ** 2).mean()))
        p = np.clip(mean, 1e-12, 1 - 1e-12)
        losses = -(asked * np.log(p) + (1 - asked) * np.log1p(-p))
        return Score(float(losses.mean()), float(((p > 0.5) == (asked > 0.5)).mean()))


def _taken(data: Dataset, name: str) -> tuple[Array, Array | None]:
    part = data.part(name)
    if not len(part):
        fix = f"it has no {name} part: say {name}=0.15 behind the data's path"
        raise InvalidInput("data", data.name, fix)
    x, y = part.take(np.arange(len(part)))
    return (x if data.preprocess is None or x.dtype != np.uint8 else data.preprocess(x)), y


def _arrays(name: str, pair: Any, loss: str) -> Arrays:
    fix = "give (x, y): samples [N, ...] in float32 and their targets"
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise InvalidInput(f"data {name}", f"of type {type(pair).__name__}", fix)
    x = np.asarray(pair[0])
    if x.dtype.kind not in "fiu" or x.ndim < 2 or not len(x):
        raise InvalidInput(f"data {name}", f"{x.dtype} {list(x.shape)}", fix)
    x = np.ascontiguousarray(x, np.float32)
    if not np.isfinite(x).all():
        raise InvalidInput(f"data {name}", "not finite", "remove NaN and infinity")
    if loss == "reconstruction":
        return Arrays(x, x)
    if pair[1] is None:
        raise InvalidInput(f"targets of {name}", None, f"give them, or learn by reconstruction instead of {loss}")
    y = np.asarray(pair[1])
    if loss != "cross_entropy":
        if y.dtype.kind not in "fiub" or not np.isfinite(y := np.ascontiguousarray(y, np.float32)).all():
            raise InvalidInput(f"targets of {name}", "not finite", "give numbers, without NaN and infinity")
        return Arrays(x, y)
    if y.dtype.kind not in "iu" or (y < 0).any():
        raise InvalidInput(f"targets of {name}", f"of dtype {y.dtype}", "classes are whole numbers from 0")
    return Arrays(x, np.ascontiguousarray(y, np.int64))
