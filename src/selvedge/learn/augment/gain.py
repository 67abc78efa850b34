"""Samples that are louder or softer, stronger or weaker."""

from __future__ import annotations

import numpy as np

from ...errors import InvalidInput
from ..draws import Draws
from .piece import Array, batch, number


class Gain:
    """Times a factor of ``low`` to ``high``, all as likely; one draw a sample, or a channel: each of its first axis.

    factor = low + (high - low) u, all in float32. In C: ``learn/c/augment.h``.
    """

    def __init__(self, low: float, high: float, channels: bool = False) -> None:
        """Raises ``InvalidInput`` unless -1e6 <= low <= high <= 1e6."""
        self.low, self.high = number("gain low", low, -1e6, 1e6), number("gain high", high, -1e6, 1e6)
        if self.low > self.high:
            raise InvalidInput("gain high", high, f"give {low} or more: low is that")
        self.channels = channels

    def __call__(self, x: Array, draws: Draws) -> Array:
        parts = batch("gain", x).reshape(len(x), x.shape[1] if self.channels else 1, -1)
        low = np.float32(self.low)
        factor = low + (np.float32(self.high) - low) * draws.uniform(*parts.shape[:2])
        return (parts * factor[:, :, None]).reshape(x.shape)
