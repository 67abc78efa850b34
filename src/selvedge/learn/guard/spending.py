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
