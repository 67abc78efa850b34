"""The digits that a learner may have: 60,000 of the official training set, divided by seed. The sheet that the
evaluator judges by is not among them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.auto.sources import FOLDER

Array = npt.NDArray[np.generic]
SHEETS = range(20)
TRAINED, ANCHORED = 4000, 4000


@dataclass(frozen=True, slots=True)
class Digits:
    """uint8 [n, 1, 28, 28] and labels int32 [n]. No sample is in two parts."""

    train: tuple[np.ndarray, np.ndarray]
    anchor: tuple[np.ndarray, np.ndarray]
    pool: tuple[np.ndarray, np.ndarray]


def sheet(number: int) -> tuple[np.ndarray, np.ndarray]:
    """3,000 digits: uint8 [3000, 1, 28, 28], int32 [3000]."""
    folder = FOLDER / "mnist_png"
    pixels = np.asarray(Image.open(folder / f"mnist_batch_{number}.png"), np.uint8)
    pixels = pixels[..., 0] if pixels.ndim == 3 else pixels
    text = (folder / "mnist_labels.js").read_text()
    labels = np.array(text[text.index("[") + 1 : text.index("]")].split(","), np.int32)
    first = number * len(pixels)
    return pixels.reshape(-1, 1, 28, 28), labels[first : first + len(pixels)]


@lru_cache(maxsize=1)
def _all() -> tuple[np.ndarray, np.ndarray]:
    parts = [sheet(number) for number in SHEETS]
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


@lru_cache(maxsize=2)
def digits(seed: int) -> Digits:
    x, y = _all()
    order = np.random.default_rng([17, seed]).permutation(len(y))
    parts = np.split(order, [TRAINED, TRAINED + ANCHORED])
    return Digits(*((x[p], y[p]) for p in parts))
