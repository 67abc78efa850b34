"""Values between those of a line, by straight lines, at places that are whole numbers of a fraction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .piece import Array


def resampled(lines: Array, places: npt.NDArray[np.int64], parts: int) -> Array:
    """``lines`` [n, outer, length, inner] at ``places`` / ``parts`` [n, length], each within 0..length - 1.

    Whole numbers say which two values and how much of each, so that C has the same bits.
    """
    left = np.minimum(places // parts, lines.shape[2] - 2)
    share = ((places - left * parts).astype(np.float32) / np.float32(parts))[:, :, None, None]
    n, by = np.arange(len(lines))[:, None], lines.swapaxes(1, 2)
    made = by[n, left] * (np.float32(1) - share) + by[n, left + 1] * share
    return np.asarray(made.swapaxes(1, 2))
