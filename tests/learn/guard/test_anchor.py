"""The anchor's bound covers what is lost as often as it says, however surely; what it must hold is looked at."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from selvedge.errors import InvalidInput
from selvedge.learn.guard.anchor import Anchor, hopeless, lost


def outcomes(rng: np.random.Generator, runs: int, n: int, better: float, worse: float) -> np.ndarray:
    return rng.choice([1.0, 0.0, -1.0], (runs, n), p=[better, 1 - better - worse, worse])


def gains(n: int, minus: int, plus: int) -> np.ndarray:
    return np.repeat([-1.0, 0.0, 1.0], [minus, n - minus - plus, plus])


@pytest.mark.parametrize("better", [0.0, 0.002, 0.01])
@pytest.mark.parametrize("error", [0.05, 0.0019, 1e-4, 1e-6])
def test_what_loses_just_the_margin_passes_no_more_often_than_the_error_says(better: float, error: float) -> None:
    """Exact, of all that 625 judges can say: among them the look at which an approximation said 0.19 % and had 1.4."""
    n, margin = 625, 0.01
    worse, chance = better + margin, 0.0
    for plus in range(int(stats.binom.ppf(1 - 1e-9, n, better)) + 1):
        for minus in range(n):
            if lost(gains(n, minus, plus), -math.log(error)).upper > margin:
                break  # nor with more of them lost
            chance += float(
                stats.multinomial.pmf([plus, minus, n - plus - minus], n, [better, worse, 1 - better - worse])
            )
    assert chance <= error


@pytest.mark.parametrize(("better", "worse"), [(0.01, 0.02), (0.002, 0.012), (0.05, 0.06), (0.0, 0.01)])
@pytest.mark.parametrize("error", [0.05, 0.01])
def test_the_bound_is_below_the_truth_no_more_often_than_its_error(better: float, worse: float, error: float) -> None:
    found = outcomes(np.random.default_rng(8), 2000, 1200, better, worse)
    under = np.mean([lost(each, -math.log(error)).upper < worse - better for each in found])
    assert under <= error + 3 * np.sqrt(error / 2000)


def test_much_that_is_gained_is_no_matter() -> None:
    """A bound is never below 0: a bet against less than nothing would lose all with one judge that is lost."""
    assert 0 < lost(gains(500, 5, 100), 3.0).upper < 1e-6
    assert lost(gains(500, 5, 100), 3.0).mean == -0.19


def test_gains_of_any_size_are_bounded_too() -> None:
    """As a reconstruction's are: of a mean of -0.05."""
    rng = np.random.default_rng(11)
    under = [lost(rng.beta(2, 2, 300) * 1.9 - 1, 3.0).upper < 0.05 for _ in range(300)]
    assert np.mean(under) <= math.exp(-3) + 3 * np.sqrt(math.exp(-3) / 300)


@given(st.integers(16, 3000), st.floats(0.5, 60), st.data())
def test_the_bound_is_above_the_mean_and_where_the_bets_are_won(n: int, nats: float, data: st.DataObject) -> None:
    minus = data.draw(st.integers(0, n))
    plus = data.draw(st.integers(0, n - minus))
    found = lost(gains(n, minus, plus), nats)
    assert found.mean == pytest.approx((minus - plus) / n, abs=1e-12)
    assert max(found.mean, 0) <= found.upper <= 1

    def wealth(loss: float) -> float:
        """In another order than the learner's."""
        stakes = np.array([0.1, 0.3, 0.6, 0.95])
        each = sum(c * np.log1p(stakes * (g + loss)) for g, c in ((1, plus), (-1, minus), (0, n - minus - plus)))
        return float(np.logaddexp.reduce(each) - np.log(4))

    if found.upper < 1:
        assert wealth(found.upper) >= nats - 1e-6
    if found.upper > 3e-7:
        assert wealth(found.upper - 3e-7) < nats + 1e-6


def test_certainty_is_not_had_for_nothing() -> None:
    """Where no judge differs the bound is still above 0, by less the more there are, and by more the surer it is."""
    uppers = [lost(np.zeros(n), 3.0).upper for n in (16, 100, 1000)]
    assert uppers == sorted(uppers, reverse=True)
    assert 0 < uppers[-1] < 0.006
    assert lost(np.zeros(16), 3.0).mean == 0
    assert lost(np.zeros(1000), 12.0).upper > 2 * uppers[-1]


def test_it_commits_what_loses_nothing_and_refuses_what_loses_two_points() -> None:
    rng = np.random.default_rng(9)
    same, worse = outcomes(rng, 300, 2500, 0.005, 0.005), outcomes(rng, 300, 2500, 0.005, 0.025)
    passed = [np.mean([lost(g, 3.5).upper <= 0.01 for g in found]) for found in (same, worse)]
    assert passed[0] > 0.8
    assert passed[1] < 0.002


def test_giving_up_early_costs_few_commits_and_saves_judges() -> None:
    rng = np.random.default_rng(10)

    def asked(found: np.ndarray) -> tuple[float, float]:
        """Of those that would have passed, how many are given up; the mean share of judges asked."""
        given_up, passing, share = 0, 0, []
        for each in found:
            ends = [n for n in range(256, 2500, 256) if hopeless(each[:n], 2500, 3.5, 0.01)]
            passes = lost(each, 3.5).upper <= 0.01
            passing += passes
            given_up += passes and bool(ends)
            share.append((ends or [2500])[0] / 2500)
        return given_up / max(1, passing), float(np.mean(share))

    assert asked(outcomes(rng, 200, 2500, 0.01, 0.01))[0] < 0.05
    assert asked(outcomes(rng, 200, 2500, 0.01, 0.06))[1] < 0.35


def test_the_first_ones_teach_and_the_last_ones_judge() -> None:
    x, y = np.arange(32, dtype=np.float32)[:, None], np.arange(32)
    anchor = Anchor(x, y, judging=20)
    assert anchor.teaching == 12
    taught, told = anchor.lesson(np.arange(12))
    judges, labels = anchor.judges
    assert np.array_equal(np.concatenate([taught, judges]), x)
    assert labels is not None
    assert told is not None
    assert np.array_equal(np.concatenate([told, labels]), y)
    assert anchor.bytes == x.nbytes + y.nbytes
    assert Anchor(x, judging=32).teaching == 0
    assert Anchor(x).bytes == x.nbytes


@given(st.floats(allow_nan=True))
def test_a_margin_is_a_fraction(margin: float) -> None:
    if 0 < margin <= 1:
        Anchor(np.zeros((40, 1)), margin=margin)
    else:
        with pytest.raises(InvalidInput, match="anchor margin"):
            Anchor(np.zeros((40, 1)), margin=margin)


def test_too_few_judges_and_lengths_that_differ_are_refused() -> None:
    with pytest.raises(InvalidInput, match="anchor judging"):
        Anchor(np.zeros((20, 1)))
    with pytest.raises(InvalidInput, match="anchor judging"):
        Anchor(np.zeros((20, 1)), judging=21)
    with pytest.raises(InvalidInput, match="one target for each"):
        Anchor(np.zeros((40, 1)), np.zeros(39))
