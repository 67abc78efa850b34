"""Light that comes from one side."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def lit(light: Array, slope: float, towards: float) -> Array:
    """E(u) = 1 + slope * (u . n) times ``light`` [n, c, h, w]: a large lamp's irradiance to first order in the place u,
    which runs over -1..1 along either side; n points ``towards``, degrees. Never below 0: a corner is further out."""
    if not slope:
        return light
    angle = np.deg2rad(towards)
    height, width = light.shape[2:]
    right, down = np.linspace(-1, 1, width), np.linspace(-1, 1, height)[:, None]
    lamp = np.maximum(0, 1 + slope * (np.cos(angle) * right + np.sin(angle) * down))
    return np.asarray(light * lamp.astype(np.float32))
