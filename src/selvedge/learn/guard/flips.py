"""Whether paired gains speak for more than chance, looked at once: by flipping signs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ..draws import Draws

MOST = 1 << 16  # flips: they are made some hundred at a time
AT_ONCE = 256


def p_value(gains: npt.NDArray[Any], error: float, draws: Draws) -> float:
    """The chance of a sum like that of ``gains`` [n] if each might as well have had the other sign (Fisher 1935).

    By random flips, itself among them, which keeps the level exact (Phipson & Smyth 2010): ten for one in ``error``, so
    that a p-value of that can be seen, and 999 to 65,536: below 1.5e-5 nothing is. Raises ``InvalidInput`` unless 0 <
    error < 1.
    """
    if not 0 < error < 1:
        raise InvalidInput("error", error, "give a probability above 0 and below 1")
    flips = max(999, math.ceil(min(10 / error, MOST)))
    asked, done, reached = float(gains.sum()), 0, 1
    while done < flips:
        n = min(AT_ONCE, flips - done)
        signs = 1 - 2 * (draws.words(n * len(gains)) >> np.uint64(63)).astype(np.float64).reshape(n, len(gains))
        reached += int((signs @ gains >= asked - 1e-12).sum())
        done += n
    return reached / (flips + 1)
