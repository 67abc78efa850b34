"""On the device a little of what was done to pictures while the model was made, in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from selvedge.learn.draws import Draws

Array = npt.NDArray[Any]


def moved(x: Array, draws: Draws) -> Array:
    """Pictures [n, c, h, w] moved by up to a pixel either way; the last pixel goes on beyond the edge."""
    down, right = draws.below(3, len(x)), draws.below(3, len(x))
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)], mode="edge")
    high, wide = x.shape[2:]
    return np.stack([p[:, i : i + high, j : j + wide] for p, i, j in zip(padded, down, right, strict=True)])
