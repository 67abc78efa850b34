"""From light to bytes: electrons that are counted, an amplifier, a converter of eight bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def sensed(
    light: Array, exposure: float, gain: float, full_well: float, read_noise: float, random: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """EMVA 1288's linear sensor: N ~ Poisson(exposure L W), at most W electrons; the byte is
    255 gain (N + read_noise z) / W, z ~ Normal(0, 1), rounded and held in 0..255.

    Shot noise is sqrt(N): at an ``exposure`` of 0.05 with a ``gain`` of 20 a picture is as bright as it was, and
    sqrt(20) times as noisy.
    """
    electrons = random.poisson(np.maximum(light, 0) * (exposure * full_well)).astype(np.float32)
    electrons = np.minimum(electrons, np.float32(full_well))
    electrons += np.float32(read_noise) * random.standard_normal(light.shape, dtype=np.float32)
    return np.asarray(np.clip(np.rint(electrons * np.float32(255 * gain / full_well)), 0, 255).astype(np.uint8))
