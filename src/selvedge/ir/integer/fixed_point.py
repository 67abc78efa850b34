"""Fixed-point multiplication as gemmlowp and LiteRT round it.

Sources: gemmlowp ``fixedpoint/fixedpoint.h`` (SaturatingRoundingDoublingHighMul, RoundingDivideByPOT); LiteRT
``internal/quantization_util.cc`` (QuantizeMultiplier), ``internal/common.cc`` (MultiplyByQuantizedMultiplier, the build
without TFLITE_SINGLE_ROUNDING: the product is rounded, then the shift is rounded again).
"""

from __future__ import annotations

import math

import numpy as np

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
# Left of this, QuantizeMultiplier flushes to zero: all bits would be shifted out.
LEAST_SHIFT = -31
MOST_SHIFT = 30


def quantise_multiplier(real: float) -> tuple[int, int]:
    """(multiplier, shift) with real ~= multiplier / 2**31 * 2**shift, multiplier 0 or in [2**30, 2**31).

    real: finite, >= 0, below 2**30. Below about 2**-32 the multiplier is 0. Raises ``ValueError``.
    """
    if not (math.isfinite(real) and real >= 0):
        raise ValueError(f"a multiplier must be finite and >= 0, and is {real}")
    fraction, shift = math.frexp(real)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    if real == 0 or shift < LEAST_SHIFT:
        return 0, 0
    if shift > MOST_SHIFT:
        raise ValueError(f"a multiplier must be below 2**{MOST_SHIFT}, and is {real}")
    return multiplier, shift


def doubling_high_mul(a: np.ndarray, b: np.ndarray | int) -> np.ndarray:
    """round(a * b / 2**31), halves up; the one product that does not fit, of two INT32_MIN, is INT32_MAX.

    a, b: int64 arrays (or a number) of int32 values; int64 result. The reference's two nudges and its division
    towards zero are one addition and an arithmetic shift.
    """
    return np.asarray(np.minimum((a * np.asarray(b, np.int64) + (1 << 30)) >> 31, INT32_MAX))


def rounding_divide_by_pot(x: np.ndarray, exponent: np.ndarray | int) -> np.ndarray:
    """round(x / 2**exponent), halves away from zero. int64 in and out, exponent 0..31."""
    exponent = np.asarray(exponent, np.int64)
    mask = (np.int64(1) << exponent) - 1
    return np.asarray((x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0)))


def saturated(x: np.ndarray) -> np.ndarray:
    """``x`` within the range of int32, as int64."""
    return np.asarray(np.clip(x, INT32_MIN, INT32_MAX))


def multiply(x: np.ndarray, multiplier: np.ndarray | int, shift: np.ndarray | int) -> np.ndarray:
    """x * multiplier / 2**31 * 2**shift, rounded twice: MultiplyByQuantizedMultiplier.

    x: int64 array of int32 values. multiplier, shift: numbers, or arrays that broadcast against ``x``. A left shift
    saturates (the reference leaves its overflow undefined). Returns int64 of int32 values.
    """
    shift = np.asarray(shift, np.int64)
    left, right = np.maximum(shift, 0), np.maximum(-shift, 0)
    return rounding_divide_by_pot(doubling_high_mul(saturated(x << left), multiplier), right)
