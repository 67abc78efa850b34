"""Samples that are slower or faster."""

from __future__ import annotations

import numpy as np

from ...errors import InvalidInput
from ..draws import Draws
from .piece import Array, along, axis_number, batch, number
from .resampled import resampled


class Stretch:
    """Along ``axis``, about its middle, by a factor of 1 - ``most`` to 1 + ``most`` of its length in whole steps, all
    as likely; by straight lines, and with the outermost values where nothing is known. One draw a sample.
    """

    def __init__(self, most: float, axis: int = -1) -> None:
        """Raises ``InvalidInput`` unless 0 < most < 1 and the axis is a whole number."""
        self.most, self.axis = number("stretch most", most, 0, 1), axis_number("stretch", axis)
        if not 0 < self.most < 1:
            raise InvalidInput("stretch most", most, "give a fraction, as 0.1")

    def __call__(self, x: Array, draws: Draws) -> Array:
        """Raises ``InvalidInput`` where samples have no such axis, or one of fewer than two values."""
        lines = along("stretch", batch("stretch", x), self.axis)
        length = lines.shape[2]
        if length < 2:
            raise InvalidInput("stretch axis", self.axis, "it has one value: give another axis")
        reach = int(self.most * (length - 1))
        steps = length - 1 + draws.below(2 * reach + 1, len(x)) - reach  # of the sample that come to lie in its length
        last = length - 1
        places = last * last + (2 * np.arange(length) - last) * steps[:, None]
        return resampled(lines, places.clip(0, 2 * last * last), 2 * last).reshape(x.shape)
