"""int8 softmax in fixed point.

Sources: ``internal/reference/softmax.h``, ``internal/quantization_util.cc`` (PreprocessSoftmaxScaling,
CalculateInputRadius), ``internal/common.h`` (GetReciprocal); gemmlowp ``fixedpoint/fixedpoint.h``
(exp_on_negative_values, one_over_one_plus_x_for_x_in_0_1). Qm.n: m bits before the point, n after, of an int32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..quant import Quant
from .fixed_point import INT32_MAX, doubling_high_mul, quantise_multiplier, rounding_divide_by_pot, saturated

DIFFERENCE_BITS = 5  # Q5.26: what exp reads
SUM_BITS = 12  # Q12.19: what its values are summed in
MOST_CLASSES = 2**SUM_BITS - 1  # whose sum fits when all are exp(0)


@dataclass(frozen=True, slots=True)
class Scaling:
    """From differences of int8 to Q5.26; below ``least`` exp is taken for zero."""

    multiplier: int
    shift: int
    least: int


def scaling(x: Quant, beta: float = 1.0) -> Scaling:
    """Raises ``ValueError`` where the scale is so small that the multiplier is not above one."""
    fraction = 31 - DIFFERENCE_BITS
    real = min(float(np.float32(beta)) * x.scale[0] * 2**fraction, 2.0**31 - 1)
    if real <= 1:
        raise ValueError(f"beta * scale of {beta * x.scale[0]} is too small for a softmax")
    multiplier, shift = _above_one(real)
    return Scaling(multiplier, shift, -math.floor((2**DIFFERENCE_BITS - 1) * 2.0**fraction / 2**shift))


def _above_one(real: float) -> tuple[int, int]:
    """As quantise_multiplier, up to 2**31."""
    multiplier, shift = quantise_multiplier(real / 4)
    return multiplier, shift + 2


def softmax(x: np.ndarray, *, by: Scaling) -> np.ndarray:
    """int8 [..., C] to int8 [..., C] of scale 1/256 and zero point -128, over the last axis; C <= MOST_CLASSES."""
    difference = x.astype(np.int64) - x.max(-1, keepdims=True)
    counts = difference >= by.least
    powers = _exp(doubling_high_mul(saturated(difference << by.shift), by.multiplier))
    sums = np.where(counts, rounding_divide_by_pot(powers, SUM_BITS), 0).sum(-1, keepdims=True)
    # The largest has exp(0), so a sum is at least one: its leading bit is one of the 13 highest.
    headroom = 32 - np.frexp(sums.astype(np.float64))[1].astype(np.int64)
    share = _one_over_one_plus(((sums << headroom) - 2**31) & 0xFFFFFFFF)
    exponent = SUM_BITS - headroom + 31 - 8
    whole = rounding_divide_by_pot(doubling_high_mul(share, powers), exponent) - 128
    return np.where(counts, np.clip(whole, -128, 127), -128).astype(np.int8)


def _q0(real: float) -> int:
    return math.floor(real * 2**31 + 0.5)


def _exp(x: np.ndarray) -> np.ndarray:
    """exp of Q5.26 values <= 0, in Q0.31: a Taylor series about -1/8 within a quarter, by squarings beyond."""
    quarter = 1 << (31 - DIFFERENCE_BITS - 2)
    within = (x & (quarter - 1)) - quarter
    rest = within - x
    a = (within << DIFFERENCE_BITS) + (1 << 28)
    a2 = doubling_high_mul(a, a)
    a3, a4 = doubling_high_mul(a2, a), doubling_high_mul(a2, a2)
    tail = doubling_high_mul(rounding_divide_by_pot(a4, 2) + a3, _q0(1 / 3)) + a2
    constant = _q0(math.exp(-1 / 8))
    result = constant + doubling_high_mul(a + rounding_divide_by_pot(tail, 1), constant)
    for bit in range(-2, DIFFERENCE_BITS):
        set_ = (rest & (1 << (31 - DIFFERENCE_BITS + bit))) != 0
        result = np.where(set_, doubling_high_mul(result, _q0(math.exp(-(2.0**bit)))), result)
    return np.where(x == 0, INT32_MAX, result)


def _one_over_one_plus(x: np.ndarray) -> np.ndarray:
    """1 / (1 + x) for Q0.31 x in [0, 1), in Q0.31: Newton-Raphson, three rounds from 48/17 - 32/17 d, in Q2.29."""
    half = (x + INT32_MAX + 1) >> 1
    one = 1 << 29
    y = _q0(48 / 17 / 4) + doubling_high_mul(half, -_q0(32 / 17 / 4))
    for _ in range(3):
        miss = one - doubling_high_mul(half, y)
        y = y + saturated(doubling_high_mul(y, miss) << 2)
    return saturated(y << 1)
