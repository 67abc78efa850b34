"""Samples with a little of another in them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import InvalidInput
from ..draws import Draws
from .piece import Array, batch, number


class Mix:
    """(1 - w) x + w other, w of 0 to ``most``, all as likely, in float32; the label stays that of x.

    Mixup (Zhang et al., ICLR 2018) of a fraction that leaves no doubt which sample it is. other: one of ``others``
    [m, ...], as noises or samples that lie in flash; None: another one of the batch, so that a batch of one stays as it
    is. Two draws a sample: of all the other, then of all the fraction. In C: ``learn/c/augment.h``.
    """

    def __init__(self, most: float, others: Any = None) -> None:
        """Raises ``InvalidInput`` unless 0 < most < 0.5, and for others that are no float32 samples."""
        self.most = number("mix most", most, 0, 0.5)
        if not 0 < self.most < 0.5:
            raise InvalidInput("mix most", most, "give a number between 0 and 0.5: the label stays")
        self.others = None if others is None else batch("mix others", others)
        if self.others is not None and not len(self.others):
            raise InvalidInput("mix others", "no samples", "give one or more")

    def __call__(self, x: Array, draws: Draws) -> Array:
        """Raises ``InvalidInput`` for samples of another shape than the others."""
        n = len(batch("mix", x))
        if self.others is not None and self.others.shape[1:] != x.shape[1:]:
            raise InvalidInput("mix samples", list(x.shape[1:]), f"the others are {list(self.others.shape[1:])}")
        if self.others is None:
            which = (np.arange(n) + 1 + draws.below(max(1, n - 1), n)) % n
        else:
            which = draws.below(len(self.others), n)
        weight = (np.float32(self.most) * draws.uniform(n)).reshape(n, *(1 for _ in x.shape[1:]))
        if self.others is None and n == 1:
            return x
        other = (x if self.others is None else self.others)[which]
        return np.asarray((np.float32(1) - weight) * x + weight * other)
