"""How large an int32 accumulator can get, whatever int8 input comes."""

from __future__ import annotations

import numpy as np

from .fixed_point import INT32_MAX, INT32_MIN
from .requantise import INT8_MAX, INT8_MIN


def accumulator_bound(w: np.ndarray, bias: np.ndarray | None, x_zero: int, w_zero: int = 0) -> tuple[int, int]:
    """(least, most) that a sum of (x - x_zero) * (w - w_zero), and the bias after it, reaches on its way or at its end.

    w: int8 [products, outputs]. Both ends of the input's range are reached by some input, so the bound is tight where
    nothing is padded. A sum that fits in int32 by this bound does so in every order of its terms.
    """
    weights = w.astype(np.int64) - w_zero
    ends = weights * (INT8_MAX - x_zero), weights * (INT8_MIN - x_zero)
    most, least = np.maximum(*ends).sum(0), np.minimum(*ends).sum(0)
    after = np.zeros_like(most) if bias is None else bias.astype(np.int64)
    return int(min(least.min(), (least + after).min())), int(max(most.max(), (most + after).max()))


def widest_bound(products: int, bias: np.ndarray | None, x_zero: int, w_zero: int = 0) -> tuple[int, int]:
    """The same for weights that are not known: any int8."""
    ends = [(w - w_zero) * (x - x_zero) for w in (INT8_MIN, INT8_MAX) for x in (INT8_MIN, INT8_MAX)]
    least, most = products * min(0, *ends), products * max(0, *ends)
    low, high = (0, 0) if bias is None else (int(min(0, bias.min())), int(max(0, bias.max())))
    return least + low, most + high


def fits_int32(bound: tuple[int, int]) -> bool:
    """Is no int32 too small for what lies in ``bound``?"""
    return bound[0] >= INT32_MIN and bound[1] <= INT32_MAX
