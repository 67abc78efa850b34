"""MNIST as a stream of five tasks of two digits each, in an order of classes that a seed draws."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.auto.sources import FOLDER

Array = npt.NDArray[np.generic]
NEEDS = "mnist_png"
SHEETS, TRAIN = 21, 60_000
TASKS, EACH = 5, 2
VALIDATION = 1000  # the seed of the class order on which settings were chosen, with the last images held out
HELD_OUT = 5000


def absent() -> str | None:
    return None if (FOLDER / NEEDS).is_dir() else str(FOLDER / NEEDS)


@lru_cache(maxsize=1)
def mnist() -> tuple[Array, Array]:
    """uint8 [63000, 1, 28, 28] and labels int32: the official 60,000 that train and the first 3,000 that test."""
    sheets = [np.asarray(Image.open(FOLDER / NEEDS / f"mnist_batch_{i}.png"), np.uint8) for i in range(SHEETS)]
    x = np.concatenate([s[..., 0] if s.ndim == 3 else s for s in sheets]).reshape(-1, 1, 28, 28)
    text = (FOLDER / NEEDS / "mnist_labels.js").read_text()
    return x, np.array(text[text.index("[") + 1 : text.index("]")].split(",")[: len(x)], np.int32)


def classes(seed: int) -> Array:
    """The order in which the digits come, int64 [10]."""
    return np.random.default_rng([8, seed]).permutation(TASKS * EACH)


def stream(y: Array, seed: int, rows: int = TRAIN) -> Array:
    """Which of the first ``rows`` samples come when: task after task, each shuffled."""
    rng = np.random.default_rng([9, seed])
    order = classes(seed).reshape(TASKS, EACH)
    return np.concatenate([rng.permutation(np.flatnonzero(np.isin(y[:rows], pair))) for pair in order])
