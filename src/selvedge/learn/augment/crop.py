"""A part of a sample, as large as the whole."""

from __future__ import annotations

import numpy as np

from ...errors import InvalidInput
from ..draws import Draws
from .piece import Array, along, axis_number, batch, number
from .resampled import resampled


class Crop:
    """A window of ``least`` to all of ``axis``, anywhere, drawn out to the whole length by straight lines.

    The random crop of images (Szegedy et al., *Going deeper with convolutions*, CVPR 2015), an axis at a time. Two
    draws a sample: of all the window's length, then of all its place (the top 24 bits of a word). In C:
    ``learn/c/augment.h``.
    """

    def __init__(self, least: float, axis: int = -1) -> None:
        """Raises ``InvalidInput`` unless 0 < least < 1 and the axis is a whole number."""
        self.least, self.axis = number("crop least", least, 0, 1), axis_number("crop", axis)
        if not 0 < self.least < 1:
            raise InvalidInput("crop least", least, "give a fraction of the axis, as 0.8")

    def __call__(self, x: Array, draws: Draws) -> Array:
        """Raises ``InvalidInput`` where samples have no such axis, or one of fewer than two values."""
        lines = along("crop", batch("crop", x), self.axis)
        length = lines.shape[2]
        if length < 2:
            raise InvalidInput("crop axis", self.axis, "it has one value: give another axis")
        shortest = max(2, int(self.least * length))
        window = shortest + draws.below(length - shortest + 1, len(x))
        first = (draws.words(len(x)) >> np.uint64(40)).astype(np.int64)
        begin = first * (length - window + 1) >> 24
        places = begin[:, None] * (length - 1) + np.arange(length) * (window - 1)[:, None]
        return resampled(lines, places, length - 1).reshape(x.shape)
