"""What a lens does: it scatters light over the whole picture, and spreads every point."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
CUT = 4.0  # standard deviations
SHARP = 0.1  # pixels: of a narrower spread the next pixel gets exp(-50)


def veiled(light: Array, contrast: float, veil: float) -> Array:
    """c L + (1 - c) V: the veiling glare of a dirty lens or pane, even over the picture (ISO 9358:1994)."""
    return light if contrast == 1 else np.asarray(np.float32(contrast) * light + np.float32((1 - contrast) * veil))


def blurred(light: Array, sigma: float) -> Array:
    """``light`` [n, c, h, w] through a Gaussian point spread of ``sigma`` pixels, the usual model of defocus (Pentland,
    *A new sense for depth of field*, PAMI 1987), cut at four of them; the last pixel goes on beyond the edge."""
    if sigma < SHARP:
        return light
    radius = int(np.ceil(CUT * sigma))
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    for axis in (2, 3):
        size = light.shape[axis]
        margins = [(radius, radius) if i == axis else (0, 0) for i in range(4)]
        padded = np.moveaxis(np.pad(light, margins, mode="edge"), axis, 0)
        spread = sum(tap * padded[i : i + size] for i, tap in enumerate(taps))
        light = np.moveaxis(np.asarray(spread), 0, axis)
    return light
