"""Fog: what the air takes of the scene's light, and what it adds of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def fogged(light: Array, fog: float, rise: float, airlight: float) -> Array:
    """Koschmieder (1924): L = L0 t + A (1 - t), t = exp(-beta d), of ``light`` [n, c, h, w].

    ``fog`` is beta d in the middle; the distance d grows linearly to (1 + ``rise``) of that at the upper edge, as of
    ground that recedes, and falls to (1 - ``rise``) at the lower one. The meteorological range is 3.912 / beta.
    """
    if not fog:
        return light
    through = np.exp(-fog * (1 + rise * np.linspace(1, -1, light.shape[2])))[:, None].astype(np.float32)
    return np.asarray(light * through + np.float32(airlight) * (1 - through))
