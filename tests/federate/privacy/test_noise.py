"""Noise: the probabilities of the discrete Gaussian, from secrets, the same again where it is to be."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from selvedge.errors import InvalidInput
from selvedge.federate.privacy.noise import LEAST, MOST, _kept_whole, discrete_gaussian
from selvedge.federate.privacy.randomness import Keystream, Words, derived


def probabilities(sigma: float, most: int) -> np.ndarray:
    """Of -most..most, by the definition."""
    weights = np.array([exp(-(x**2) / (2 * sigma**2)) for x in range(-most, most + 1)])
    return weights / weights.sum()


@pytest.mark.parametrize("sigma", [0.3, 0.5, 1.0, 1.5, 4.7, 33.0])
def test_each_number_is_as_likely_as_the_formula_says(sigma: float) -> None:
    drawn = discrete_gaussian(40_000, sigma, Keystream(derived(b"chi", sigma)))
    most = max(1, round(3 * sigma))
    expected = len(drawn) * probabilities(sigma, 12 * most)
    middle = len(expected) // 2
    inner = slice(middle - most + 1, middle + most)  # the rest of each side is one class
    counts = [np.sum(drawn <= -most), *(np.sum(drawn == x) for x in range(-most + 1, most)), np.sum(drawn >= most)]
    shares = [expected[: inner.start].sum(), *expected[inner], expected[inner.stop :].sum()]
    kept = [(c, e) for c, e in zip(counts, shares, strict=True) if e >= 5]
    lost = len(drawn) - sum(e for _, e in kept)
    found, due = [float(c) for c, _ in kept], [float(e) for _, e in kept]
    if lost > 1e-6:
        found, due = [*found, len(drawn) - sum(found)], [*due, lost]
    if min(due) > 1:
        assert stats.chisquare(found, due).pvalue > 1e-4


def test_a_rounded_gaussian_is_told_from_it() -> None:
    """The test above can fail: rounding a continuous one is another distribution at a small sigma."""
    rounded = np.rint(np.random.default_rng(0).normal(0, 0.5, 40_000))
    expected = len(rounded) * probabilities(0.5, 20)
    middle = len(expected) // 2
    counts = [np.sum(rounded == x) for x in (-1, 0, 1)]
    assert stats.chisquare([*counts, 40_000 - sum(counts)], [*expected[middle - 1 : middle + 2],
        40_000 - expected[middle - 1 : middle + 2].sum()]).pvalue < 1e-10  # fmt: skip


@pytest.mark.parametrize("sigma", [2000.0, 2047.5, 1e6, MOST])
def test_large_ones_have_the_variance_and_no_memory(sigma: float) -> None:
    drawn = discrete_gaussian(100_000, sigma, Keystream(derived(b"large", sigma))).astype(float)
    assert abs(drawn.mean()) < 4 * sigma / 100_000**0.5
    assert abs(drawn.var() / sigma**2 - 1) < 4 * (2 / 100_000) ** 0.5
    assert stats.kstest(drawn / sigma, "norm").pvalue > 1e-4
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 4 / 100_000**0.5


def test_the_parts_of_a_large_exponent_are_the_whole() -> None:
    """Of a small sigma, where each number can be counted: the way for large ones has the same probabilities."""
    words, sigma, sizes = Words(Keystream(derived(b"parts"))), 3, np.repeat(np.arange(12), 20_000)
    kept = _kept_whole(words, sizes, sigma).reshape(12, -1).mean(1)
    due = np.exp(-((np.arange(12) - 3) ** 2) / 18)
    np.testing.assert_allclose(kept, due, atol=4 * 0.5 / 20_000**0.5)


def test_a_secret_draws_the_same_and_the_system_never_does() -> None:
    one, other = (discrete_gaussian(500, 9.0, Keystream(derived(b"a", 1))) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(one, discrete_gaussian(500, 9.0, Keystream(derived(b"a", 2))))
    assert not np.array_equal(discrete_gaussian(500, 9.0), discrete_gaussian(500, 9.0))
    assert len(discrete_gaussian(0, 1.0)) == 0


def test_the_bits_do_not_depend_on_the_machine() -> None:
    assert discrete_gaussian(12, 3.0, Keystream(bytes(32))).tolist() == SAME


SAME = [0, -1, 1, -4, 0, -3, -1, -3, -1, 0, -3, 2]


@pytest.mark.parametrize("sigma", [0, -1, float("nan"), float("inf"), True, "1", LEAST / 2, MOST + 1])
def test_a_sigma_that_has_no_exact_noise_is_refused(sigma: object) -> None:
    with pytest.raises(InvalidInput, match="sigma"):
        discrete_gaussian(1, sigma)  # type: ignore[arg-type]


@given(st.integers(1, 1 << 63), st.integers(1, 50), st.integers(0, 1000))
def test_words_are_below_their_bound(bound: int, count: int, seed: int) -> None:
    drawn = Words(Keystream(derived(b"words", seed))).below(bound, count)
    assert len(drawn) == count
    assert drawn.min() >= 0
    assert int(drawn.max()) < bound


def test_words_are_all_as_likely() -> None:
    drawn = Words(Keystream(derived(b"words"))).below(5, 50_000)
    assert stats.chisquare(np.bincount(drawn, minlength=5)).pvalue > 1e-4
