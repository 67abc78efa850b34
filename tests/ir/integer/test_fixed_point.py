"""Fixed-point multiplication at its extremes, against the C++ text in Python's own integers."""

from __future__ import annotations

import math
import os
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from selvedge.ir.integer.fixed_point import (
    INT32_MAX,
    INT32_MIN,
    doubling_high_mul,
    multiply,
    quantise_multiplier,
    rounding_divide_by_pot,
)

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "200"))
EDGES = [INT32_MIN, INT32_MIN + 1, -(2**30), -1, 0, 1, 2**30 - 1, 2**30, INT32_MAX - 1, INT32_MAX]
INT32 = st.one_of(st.sampled_from(EDGES), st.integers(INT32_MIN, INT32_MAX))


def high_mul(a: int, b: int) -> int:
    """gemmlowp's lines: a nudge by the sign, a division towards zero."""
    if a == b == INT32_MIN:
        return INT32_MAX
    nudged = a * b + ((1 << 30) if a * b >= 0 else 1 - (1 << 30))
    return -(-nudged // 2**31) if nudged < 0 else nudged // 2**31


def divide(x: int, exponent: int) -> int:
    """gemmlowp's lines, of masks."""
    mask = (1 << exponent) - 1
    threshold = (mask >> 1) + (1 if x < 0 else 0)
    return (x >> exponent) + (1 if (x & mask) > threshold else 0)


def half_away(x: Fraction) -> int:
    return int(math.copysign(1, x)) * math.floor(abs(x) + Fraction(1, 2))


@settings(max_examples=EXAMPLES, deadline=None)
@given(a=INT32, b=INT32)
@example(a=INT32_MIN, b=INT32_MIN)
def test_a_product_is_gemmlowps(a: int, b: int) -> None:
    assert doubling_high_mul(np.array([a]), b)[0] == high_mul(a, b)


@settings(max_examples=EXAMPLES, deadline=None)
@given(x=INT32, exponent=st.integers(0, 31))
def test_a_shift_rounds_halves_away_from_zero(x: int, exponent: int) -> None:
    found = int(rounding_divide_by_pot(np.array([x]), exponent)[0])
    assert found == divide(x, exponent) == half_away(Fraction(x, 2**exponent))


@settings(max_examples=EXAMPLES, deadline=None)
@given(x=INT32, multiplier=st.one_of(st.just(0), st.integers(2**30, INT32_MAX)), shift=st.integers(-31, 30))
@example(x=INT32_MIN, multiplier=INT32_MAX, shift=30)
@example(x=INT32_MAX, multiplier=INT32_MAX, shift=-31)
def test_a_scaled_sum_is_the_references_and_saturates(x: int, multiplier: int, shift: int) -> None:
    found = int(multiply(np.array([x]), multiplier, shift)[0])
    shifted = min(max(x << max(shift, 0), INT32_MIN), INT32_MAX)
    assert found == divide(high_mul(shifted, multiplier), max(-shift, 0))
    assert INT32_MIN <= found <= INT32_MAX
    if shift <= 0:  # two roundings: never a whole step from the real number
        assert abs(found - Fraction(x * multiplier, 2 ** (31 - shift))) <= 1


@settings(max_examples=EXAMPLES, deadline=None)
@given(xs=st.lists(INT32, min_size=1, max_size=6), multiplier=st.integers(2**30, INT32_MAX), shift=st.integers(-31, 0))
def test_scaling_keeps_the_order(xs: list[int], multiplier: int, shift: int) -> None:
    found = multiply(np.sort(np.array(xs)), multiplier, shift)
    assert (np.diff(found) >= 0).all()


def test_channels_have_multipliers_of_their_own() -> None:
    x = np.arange(-6, 6, dtype=np.int64).reshape(3, 4) * 10**8
    multipliers, shifts = np.array([2**30, 2**31 - 1, 0, 3 * 2**29]), np.array([1, -31, 0, -3])
    found = multiply(x, multipliers, shifts)
    each = [multiply(x[:, c], int(multipliers[c]), int(shifts[c])) for c in range(4)]
    np.testing.assert_array_equal(found, np.stack(each, 1))


@settings(max_examples=EXAMPLES, deadline=None)
@given(real=st.floats(2.0**-31, 2.0**29))
@example(real=1.0)
@example(real=math.nextafter(1.0, 0.0))
@example(real=math.nextafter(2.0**29, 0.0))
def test_a_multiplier_is_within_half_a_bit(real: float) -> None:
    multiplier, shift = quantise_multiplier(real)
    assert 2**30 <= multiplier <= INT32_MAX
    assert abs(Fraction(multiplier) * Fraction(2) ** (shift - 31) - Fraction(real)) <= Fraction(2) ** (shift - 32)


@pytest.mark.parametrize("real", [0.0, 2.0**-33, 5e-324])
def test_what_would_be_shifted_out_is_zero(real: float) -> None:
    assert quantise_multiplier(real) == (0, 0)


@pytest.mark.parametrize("real", [-1.0, math.inf, math.nan, 2.0**30, 1e300])
def test_a_multiplier_out_of_range_is_refused(real: float) -> None:
    with pytest.raises(ValueError, match="a multiplier must be"):
        quantise_multiplier(real)
