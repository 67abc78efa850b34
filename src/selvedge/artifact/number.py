"""Numbers as users give them: python's own, or a numpy scalar."""

from __future__ import annotations

from math import isfinite

import numpy as np


def finite(value: object) -> float | None:
    """``value`` as a finite python float, None if it is none; True and False are none."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None
