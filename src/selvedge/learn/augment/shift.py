"""Samples that begin earlier or later, or lie higher or lower."""

from __future__ import annotations

import numpy as np

from ...errors import InvalidInput
from ..draws import Draws
from .piece import Array, along, axis_number, batch, count

FILLS = ("edge", "around")


class Shift:
    """Along ``axis`` of a sample by a whole number of -``by`` to ``by``, all as likely; one draw a sample.

    fill: what comes in at the end: "edge", the outermost value again and again, or "around", what went out at the
    other end. In C: ``learn/c/augment.h``.
    """

    def __init__(self, by: int, axis: int = -1, fill: str = "edge") -> None:
        """Raises ``InvalidInput`` for ``by`` below 1, an axis that is no whole number and another fill."""
        self.by, self.axis = count("shift by", by, 1), axis_number("shift", axis)
        if fill not in FILLS:
            raise InvalidInput("shift fill", fill, f"give {' or '.join(FILLS)}")
        self.fill = fill

    def __call__(self, x: Array, draws: Draws) -> Array:
        """Raises ``InvalidInput`` where samples have no such axis."""
        lines = along("shift", batch("shift", x), self.axis)
        later = draws.below(2 * self.by + 1, len(x)) - self.by
        length = lines.shape[2]
        source = np.arange(length) - later[:, None]
        source = source.clip(0, length - 1) if self.fill == "edge" else source % length
        return lines[np.arange(len(x))[:, None], :, source].swapaxes(1, 2).reshape(x.shape)
