"""What a server sees of several devices: their sum, with and without noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
BITS = 16  # of a value in the ring: enough that rounding protects nobody


def mean(changes: Array) -> Array:
    """float64 [size], of the exact sum of ``changes`` [devices, size] in whole numbers of :data:`BITS` bits, by a step
    that the cohort shares: what unmasking leaves."""
    step = float(np.abs(changes).max()) / (2 ** (BITS - 1) - 1)
    return np.rint(changes / step).astype(np.int64).sum(0) * step / len(changes)


def noised(changes: Array, multiplier: float, draw: np.random.Generator, clip: float | None = None) -> Array:
    """The mean of ``changes`` [devices, size], each cut to a length of ``clip`` (None: the median of their lengths),
    with noise on their sum of ``multiplier`` times that."""
    lengths = np.linalg.norm(changes, axis=1)
    clip = float(np.median(lengths)) if clip is None else clip
    cut = changes * np.minimum(1, clip / np.maximum(lengths, 1e-30))[:, None]
    return (cut.sum(0) + draw.normal(0, multiplier * clip, changes.shape[1])) / len(changes)
