"""Changes of a bounded length, as floating-point numbers and as whole ones: what one contributor can move at most."""

from __future__ import annotations

from fractions import Fraction
from math import floor, isfinite, log, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from .randomness import Source, system

Ints = npt.NDArray[np.int64]
FINE = 1 << 24  # parts that a lot is drawn in, of rounding
TRIES = 64


def clipped(vector: npt.NDArray[Any], bound: float) -> tuple[npt.NDArray[Any], float]:
    """(vector * factor, factor), the factor 1 or less, so that the L2 norm is ``bound`` or less (Abadi et al., CCS
    2016, arXiv:1607.00133), but for what the dtype rounds: :func:`whole` is exact. Raises ``InvalidInput`` for NaN or
    Inf: a length that is none has no bound."""
    bound = bounded("clip", bound)
    wide = np.asarray(vector, np.float64)
    largest = float(np.abs(wide).max(initial=0.0))
    if not isfinite(largest):
        raise InvalidInput("change", "not finite", "give finite numbers")
    # Squares of very large or small ones leave float64: the length is that of the vector over its largest.
    length = largest * sqrt(float(np.sum((wide / largest) ** 2))) if largest > 0 else 0.0
    if length <= bound:
        return vector, 1.0
    factor = bound / length
    return np.asarray(wide * factor, vector.dtype), factor


def whole(vector: npt.NDArray[Any], bound: float, step: float) -> Ints:
    """int64, in steps: ``vector``, clipped, each element rounded towards 0, so that no length grows by rounding; its
    squares add up to at most (bound / step)**2, in whole numbers."""
    most = floor((Fraction(bounded("clip", bound)) / Fraction(bounded("step", step))) ** 2)
    cut = np.asarray(clipped(np.asarray(vector, np.float64), bound)[0])
    made = (cut / step).astype(np.int64)
    while _square(made) > most:  # by the last bit of a float64
        cut = cut * (1 - 2.0**-40)
        made = (cut / step).astype(np.int64)
    return made


def rounded(vector: npt.NDArray[Any], bound: float, step: float, source: Source = system, beta: float = 2**-10) -> Ints:
    """int64, in steps: ``vector``, clipped, each element one of the two steps beside it, the nearer the likelier, drawn
    again while it is longer than :func:`inflated` says (Kairouz, Liu & Steinke, ICML 2021, arXiv:2102.06387, section
    4.1). For coarse steps, where rounding towards 0 would take off more than noise does.

    An attempt fails with probability ``beta`` at most; after 64 in a row it is rounded towards 0.
    """
    cut = np.asarray(clipped(np.asarray(vector, np.float64), bound)[0]) / bounded("step", step)
    most = inflated(bound / step, len(cut), beta) ** 2
    low = np.floor(cut)
    up = np.ceil((cut - low) * FINE)  # of FINE
    for _ in range(TRIES):
        lots = np.frombuffer(source(4 * len(cut)), "<u4") >> 8
        made = (low + (lots < up)).astype(np.int64)
        if _square(made) <= most:
            return made
    return whole(vector, bound, step)


def inflated(bound: float, size: int, beta: float = 2**-10) -> float:
    """The L2 norm in steps that :func:`rounded` keeps to, of a vector of ``size`` elements with a norm of ``bound``
    steps (theorem 1 there)."""
    longer = bound**2 + size / 4 + sqrt(2 * log(1 / beta)) * (bound + sqrt(size) / 2)
    return min(bound + sqrt(size), sqrt(longer))


def length(vector: Ints) -> float:
    """L2, of whole numbers."""
    return sqrt(_square(vector))


def bounded(field: str, value: float) -> float:
    """``value`` as a float above 0, or ``InvalidInput``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value <= 0:
        raise InvalidInput(field, value, "give a finite number above 0")
    return float(value)


def _square(vector: Ints) -> int:
    """The sum of squares, exactly."""
    largest = int(np.abs(vector).max(initial=0))
    if largest**2 * len(vector) < 1 << 63:
        return int(np.sum(vector * vector))
    return sum(int(value) ** 2 for value in vector)
