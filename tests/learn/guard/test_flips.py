"""The flipping of signs, beside every flip there is and beside SciPy's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from selvedge.errors import InvalidInput
from selvedge.learn.draws import Draws
from selvedge.learn.guard.flips import p_value


@pytest.mark.parametrize("shift", [0.0, 0.3, 0.8])
def test_it_is_near_what_all_flips_say(shift: float) -> None:
    gains = np.random.default_rng(5).normal(shift, 1, 12).clip(-1, 1)
    signs = np.array(list(itertools.product([1, -1], repeat=len(gains))))
    exact = float((signs @ gains >= gains.sum() - 1e-12).mean())
    found = p_value(gains, 0.001, Draws(0))
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 10000) + 1e-4)


def test_it_is_near_what_scipy_says() -> None:
    gains = np.random.default_rng(6).choice([1.0, 0.0, -1.0], 80, p=[0.25, 0.6, 0.15])
    theirs = stats.permutation_test(
        (gains,), lambda g, axis: g.sum(axis), permutation_type="samples", alternative="greater",
        n_resamples=20000, vectorized=True, rng=np.random.default_rng(0),
    )  # fmt: skip
    assert p_value(gains, 0.0005, Draws(1)) == pytest.approx(float(theirs.pvalue), abs=0.015)


def test_no_gain_is_found_as_often_as_the_error_says() -> None:
    rng, draws = np.random.default_rng(7), Draws(7)
    found = [p_value(rng.choice([1.0, 0.0, -1.0], 30), 0.05, draws) <= 0.05 for _ in range(400)]
    assert sum(found) <= 400 * 0.05 + 3 * np.sqrt(400 * 0.05 * 0.95)
    assert p_value(np.ones(20), 0.001, draws) <= 0.001


def test_nothing_gained_is_certain_to_be_reached() -> None:
    assert p_value(np.zeros(10), 0.05, Draws(0)) == 1.0


def test_what_is_rarer_than_the_flips_are_many_is_not_seen() -> None:
    found = p_value(np.ones(40), 1e-9, Draws(0))
    assert found == pytest.approx(1 / 65537)
    assert found > 1e-9


@pytest.mark.parametrize("error", [0.0, 1.0, -1.0, float("nan")])
def test_an_error_that_is_no_probability_is_refused(error: float) -> None:
    with pytest.raises(InvalidInput, match="error"):
        p_value(np.ones(5), error, Draws(0))
