"""int8 results at the ends of the accumulator and of the result, by exact arithmetic."""

from __future__ import annotations

import itertools
import math
import os
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.ir.integer import elementwise, softmax, table
from selvedge.ir.integer.bound import accumulator_bound
from selvedge.ir.integer.convert import dequantise, quantise
from selvedge.ir.integer.requantise import RequantiseFloat64, clamp, requantise
from selvedge.ir.quant import Quant

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "100"))
ENDS = np.array([-(2**31), -(2**31) + 1, -1, 0, 1, 2**31 - 1])


def quant(scale: float, zero: int = 0) -> Quant:
    return Quant((float(np.float32(scale)),), (zero,))


@pytest.mark.parametrize("zero", [-128, 0, 127])
@pytest.mark.parametrize("real", [2.0**-31, 1e-3, 0.5, 1.0, 2.0**29])
def test_the_ends_of_int32_saturate(real: float, zero: int) -> None:
    for by in (requantise([real], quant(1, zero)), RequantiseFloat64((real,), zero, -128, 127)):
        found = by(ENDS)
        assert found.dtype == np.int8
        assert found[0] == max(-128, zero - math.floor(2**31 * real + 0.5))
        assert found[-1] == min(127, zero + math.floor((2**31 - 1) * real + 0.5))
        assert (np.diff(found.astype(int)) >= 0).all()


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    accumulator=st.integers(-(2**31), 2**31 - 1),
    real=st.floats(2.0**-30, 4.0),
    zero=st.integers(-128, 127),
)
def test_fixed_point_is_within_a_step_of_the_real_number(accumulator: int, real: float, zero: int) -> None:
    exact = min(max(Fraction(real) * accumulator + zero, Fraction(-128)), Fraction(127))
    found = int(requantise([real], quant(1, zero))(np.array([accumulator]))[0])
    assert abs(found - exact) <= 1


@settings(max_examples=EXAMPLES, deadline=None)
@given(numerator=st.integers(-400, 400), zero=st.integers(-128, 127))
def test_a_linear_layer_rounds_halves_away_from_zero(numerator: int, zero: int) -> None:
    whole = math.floor(abs(numerator) / 4 + 0.5) * (1 if numerator >= 0 else -1)
    found = int(RequantiseFloat64((0.25,), zero, -128, 127)(np.array([numerator]))[0])
    assert found == min(max(whole + zero, -128), 127)


@pytest.mark.parametrize(
    ("activation", "scale", "zero", "expected"),
    [
        ("none", 0.1, 5, (-128, 127)),
        ("relu", 0.1, 5, (5, 127)),
        ("relu", 0.1, -128, (-128, 127)),
        ("relu6", 0.1, -100, (-100, -40)),
        ("relu6", 0.01, 0, (0, 127)),
        ("relu_n1_to_1", 0.4, 0, (-3, 3)),  # -2.5 and 2.5: away from zero
        ("relu_n1_to_1", 0.001, 0, (-128, 127)),
    ],
)
def test_a_fused_activation_is_a_clamp(activation: str, scale: float, zero: int, expected: tuple[int, int]) -> None:
    assert clamp(quant(scale, zero), activation) == expected


@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_no_sum_leaves_its_bound_and_some_sum_meets_it(seed: int) -> None:
    r = np.random.default_rng(seed)
    products, outs = (int(n) for n in r.integers(1, 4, 2))
    w, x_zero, w_zero = r.integers(-128, 128, (products, outs)), int(r.integers(-128, 128)), int(r.integers(-5, 6))
    bias = r.integers(-(10**5), 10**5, outs).astype(np.int32) if r.random() < 0.7 else None
    least, most = accumulator_bound(w.astype(np.int8), bias, x_zero, w_zero)
    # A sum is linear in each input: its extremes lie at their ends. On the way no term may be there yet.
    seen = [0]
    for ends in itertools.product((-128, 127), repeat=products):
        terms = (np.array(ends)[:, None] - x_zero) * (w - w_zero)
        sums = np.concatenate([np.cumsum(terms, 0), (terms.sum(0) + (0 if bias is None else bias))[None]])
        seen += [int(sums.min()), int(sums.max())]
    assert (least, most) == (min(seen), max(seen))


def test_every_int8_comes_back_from_real() -> None:
    values = np.arange(-128, 128).astype(np.int8)
    for by in (quant(0.1, -128), quant(1e-3, 127), quant(7.5, 3)):
        np.testing.assert_array_equal(quantise(dequantise(values, by=by), by=by), values)


def test_real_numbers_out_of_range_saturate() -> None:
    x = np.array([np.nan, np.inf, -np.inf, 1e38, -1e38, 0.0], np.float32)
    np.testing.assert_array_equal(quantise(x, by=quant(1e-30, 5)), [5, 127, -128, 127, -128, 5])


def test_several_scales_are_along_their_axis() -> None:
    by = Quant((0.5, 2.0), (0, 10), 1)
    np.testing.assert_array_equal(dequantise(np.array([[1, 11], [3, 9]], np.int32), by=by), [[0.5, 2.0], [1.5, -2.0]])


def test_scales_without_a_meaning_are_refused() -> None:
    with pytest.raises(ValueError, match="too small for summands"):
        elementwise.addition(quant(1), quant(1), quant(1e-7))
    with pytest.raises(ValueError, match="too small for a softmax"):
        softmax.scaling(quant(1e-9))
    with pytest.raises(ValueError, match="too small for a table"):
        table.table("tanh", quant(1), quant(1e-40))
    with pytest.raises(ValueError, match="too small for a clamp"):
        clamp(quant(1e-20), "relu6")
    with pytest.raises(ValueError, match="a multiplier must be"):
        elementwise.product(quant(1e30), quant(1e30), quant(1))
    with pytest.raises(ValueError, match="a multiplier must be"):
        elementwise.clamping(quant(1e38), quant(1e-38), "relu")


def test_the_functions_in_softmax_are_as_exact_as_gemmlowp_says() -> None:
    """Its own tests allow exp 3e-7; one Newton round fewer is 1e3 units off."""
    x = -np.linspace(0, 2**31 - 1, 20001).astype(np.int64)
    assert np.abs(softmax._exp(x) / 2**31 - np.exp(x / 2**26)).max() < 3e-7
    x = np.linspace(0, 2**31 - 1, 20001).astype(np.int64)
    assert np.abs(softmax._one_over_one_plus(x) - 2**31 / (1 + x / 2**31)).max() < 8


def test_softmax_is_within_a_step_and_sums_to_one() -> None:
    r = np.random.default_rng(0)
    x = r.integers(-128, 128, (50, 12)).astype(np.int8)
    found = softmax.softmax(x, by=softmax.scaling(quant(0.1, 3)))
    real = np.exp(0.1 * x.astype(float))
    real /= real.sum(-1, keepdims=True)
    assert np.abs((found.astype(float) + 128) / 256 - real).max() <= 1 / 256
    assert np.abs((found.astype(int) + 128).sum(-1) - 256).max() <= 6
