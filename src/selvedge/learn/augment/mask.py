"""Samples of which a stretch is not heard."""

from __future__ import annotations

import numpy as np

from ..draws import Draws
from .piece import Array, along, axis_number, batch, count, number


class Mask:
    """0 to ``most`` neighbours along ``axis`` become ``fill``, wherever they lie: all widths and places as likely.

    SpecAugment's masks (Park et al., Interspeech 2019): of time or of frequency. Two draws a sample: of all the width,
    then of all the place.
    """

    def __init__(self, most: int, axis: int = -1, fill: float = 0.0) -> None:
        """Raises ``InvalidInput`` for ``most`` below 1, and an axis that is no whole number."""
        self.most, self.axis = count("mask most", most, 1), axis_number("mask", axis)
        self.fill = number("mask fill", fill, -1e30, 1e30)

    def __call__(self, x: Array, draws: Draws) -> Array:
        """Raises ``InvalidInput`` where samples have no such axis."""
        lines = along("mask", batch("mask", x), self.axis)
        length = lines.shape[2]
        width = draws.below(min(self.most, length) + 1, len(x))
        begin = (draws.uniform(len(x)) * (length - width + 1)).astype(np.int64)
        at = np.arange(length)
        hidden = (at >= begin[:, None]) & (at < (begin + width)[:, None])
        return np.where(hidden[:, None, :, None], np.float32(self.fill), lines).reshape(x.shape)
