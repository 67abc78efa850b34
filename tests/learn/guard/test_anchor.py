"""The anchor's bound covers what is lost as often as it says; what it must hold is looked at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.learn.guard.anchor import Anchor, hopeless, lost


def outcomes(rng: np.random.Generator, runs: int, n: int, better: float, worse: float) -> np.ndarray:
    return rng.choice([1.0, 0.0, -1.0], (runs, n), p=[better, 1 - better - worse, worse])


@pytest.mark.parametrize(("better", "worse"), [(0.01, 0.02), (0.002, 0.012), (0.05, 0.06), (0.0, 0.01)])
@pytest.mark.parametrize("error", [0.05, 0.01])
def test_the_bound_is_below_the_truth_no_more_often_than_about_its_error(
    better: float, worse: float, error: float
) -> None:
    found = outcomes(np.random.default_rng(8), 3000, 1200, better, worse)
    under = np.mean([lost(gains, error).upper < worse - better for gains in found])
    # Asymptotic: of rare losses, a dozen in 1,200, the normal tail says a little too little.
    assert under <= 2 * error + 3 * np.sqrt(error / 3000)


def test_certainty_is_not_had_for_nothing() -> None:
    """Where no judge differs the bound is still above 0, by less the more there are."""
    uppers = [lost(np.zeros(n), 0.05).upper for n in (16, 100, 1000)]
    assert uppers == sorted(uppers, reverse=True)
    assert 0 < uppers[-1] < 0.005
    assert lost(np.zeros(16), 0.05).mean == 0


def test_it_commits_what_loses_nothing_and_refuses_what_loses_two_points() -> None:
    rng = np.random.default_rng(9)
    same, worse = outcomes(rng, 500, 1250, 0.01, 0.01), outcomes(rng, 500, 1250, 0.01, 0.03)
    passed = [np.mean([lost(g, 0.03).upper <= 0.01 for g in found]) for found in (same, worse)]
    assert passed[0] > 0.5
    assert passed[1] < 0.002


def test_giving_up_early_costs_few_commits_and_saves_judges() -> None:
    rng = np.random.default_rng(10)

    def asked(found: np.ndarray) -> tuple[float, float]:
        """Of those that would have passed, how many are given up; the mean share of judges asked."""
        given_up, passing, share = 0, 0, []
        for gains in found:
            ends = [n for n in (256, 512, 768, 1024) if hopeless(gains[:n], 1250, 0.03, 0.01)]
            passes = lost(gains, 0.03).upper <= 0.01
            passing += passes
            given_up += passes and bool(ends)
            share.append((ends or [1250])[0] / 1250)
        return given_up / max(1, passing), float(np.mean(share))

    assert asked(outcomes(rng, 500, 1250, 0.01, 0.01))[0] < 0.05
    assert asked(outcomes(rng, 500, 1250, 0.01, 0.06))[1] < 0.35


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
