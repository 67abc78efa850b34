"""An error that is spent over a life: the k-th look may be wrong with alpha_k, and all of them sum to alpha."""

from __future__ import annotations

import math

from ...errors import InvalidInput


def spent(alpha: float, k: int) -> float:
    """alpha_k = alpha 6 / (pi k)^2, for k = 1, 2, ...: they sum to ``alpha`` however long it goes on.

    Raises ``InvalidInput`` unless 0 < alpha < 1.
    """
    if not 0 < alpha < 1:
        raise InvalidInput("alpha", alpha, "give a probability above 0 and below 1")
    return alpha * 6 / (math.pi * k) ** 2


def quantile(p: float) -> float:
    """z with P(Z > z) = ``p`` of a standard normal, 0 < p < 0.5; within 4.5e-4 (Abramowitz & Stegun 1964, 26.2.23)."""
    t = math.sqrt(-2 * math.log(p))
    above = 2.515517 + t * (0.802853 + t * 0.010328)
    below = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    return t - above / below
