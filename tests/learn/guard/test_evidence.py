"""Betting: what is no better is seldom believed to be, however long one looks; what is better is believed soon."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.learn.guard.evidence import PURSE, STAKES, Evidence


def paths(gains: np.ndarray) -> np.ndarray:
    """The wealth behind each of ``gains`` [runs, n]: what an ``Evidence`` a run has, without its loop."""
    logs = np.log1p(gains[..., None] * STAKES).cumsum(1) + PURSE
    return np.asarray(np.exp(logs).sum(-1))


def test_the_paths_of_these_tests_are_evidences() -> None:
    gains = np.random.default_rng(0).uniform(-1, 1, (1, 200))
    evidence = Evidence()
    for gain, wealth in zip(gains[0], paths(gains)[0], strict=True):
        evidence.update(float(gain))
        assert np.exp(evidence.log) == pytest.approx(wealth, rel=1e-9)


def ever(alpha: float, n: int) -> float:
    """The chance that fair bets of 1 - the worst that "no better" allows - ever show it within ``n``: exact. The wealth
    hangs on the number of wins and losses alone; where it has been reached, the way ends."""
    chance, reached = np.ones(1), 0.0
    for rounds in range(1, n + 1):
        chance = (np.append(chance, 0) + np.append(0, chance)) / 2  # by the number of wins, 0..rounds
        wins = np.arange(rounds + 1)[:, None]
        logs = PURSE + wins * np.log1p(STAKES) + (rounds - wins) * np.log1p(-STAKES)
        there = np.exp(np.minimum(logs, 100)).sum(1) >= 1 / alpha
        reached += float(chance[there].sum())
        chance = np.where(there, 0, chance)
    return reached


@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.01])
def test_no_better_is_taken_for_better_at_most_as_often_as_alpha_says(alpha: float) -> None:
    assert 0.4 * alpha < ever(alpha, 1500) <= alpha, "far below it, little could be shown"


def test_gains_that_hang_on_the_past_do_not_fool_it() -> None:
    """A martingale whose stakes double after a loss, up to the bound: its mean is 0 whatever went before."""
    rng = np.random.default_rng(2)
    signs = rng.choice([-1.0, 1.0], (1000, 500))
    gains, size = np.zeros_like(signs), np.full(len(signs), 1 / 64)
    for i in range(signs.shape[1]):
        gains[:, i] = size * signs[:, i]
        size = np.where(signs[:, i] < 0, np.minimum(2 * size, 1), 1 / 64)
    assert (paths(gains).max(1) >= 20).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)


def test_what_is_better_is_shown_within_a_few_dozen_samples() -> None:
    rng = np.random.default_rng(3)
    gains = rng.choice([1.0, 0.0, -1.0], (500, 80), p=[0.3, 0.65, 0.05])
    assert (paths(gains).max(1) >= 20).mean() > 0.9


@given(st.lists(st.floats(-1, 1), max_size=50))
def test_its_state_goes_on_bit_for_bit(gains: list[float]) -> None:
    one, other = Evidence(), Evidence()
    for gain in gains:
        one.update(gain)
    other.load_state_dict(one.state_dict())
    for evidence in (one, other):
        evidence.update(0.25)
    assert one.log == other.log
    one.restart()
    assert one.log == Evidence().log == pytest.approx(0)
    assert one.bytes == sum(a.nbytes for a in one.state_dict().values())


@given(st.lists(st.floats(-1, 1), max_size=60), st.floats(1e-6, 0.999))
def test_what_is_shown_and_what_is_left_are_what_the_logarithm_says(gains: list[float], share: float) -> None:
    evidence = Evidence()
    evidence.updates(np.array(gains, np.float64))
    for alpha in (share, min(math.exp(-evidence.log), 0.999)):
        assert evidence.shows(alpha) == (evidence.log >= -math.log(alpha))
    for wealth in (share, min(math.exp(evidence.log), 0.999)):
        assert evidence.below(wealth) == (evidence.log < math.log(wealth))


@given(st.lists(st.one_of(st.floats(-1, 1), st.just(0.0)), max_size=20))
def test_several_at_once_are_one_after_the_other_bit_for_bit(gains: list[float]) -> None:
    one, other = Evidence(), Evidence()
    log = PURSE.copy()
    for gain in gains:
        one.update(gain)
        log += np.log1p(STAKES * gain)
    other.updates(np.array(gains, np.float64))
    assert one.state_dict()["log"].tobytes() == other.state_dict()["log"].tobytes() == log.tobytes()
    with pytest.raises(InvalidInput, match="gain"):
        other.updates(np.array([0.5, np.nan]))
    assert other.state_dict()["log"].tobytes() == log.tobytes()


@pytest.mark.parametrize("gain", [1.01, -2.0, float("nan")])
def test_a_gain_out_of_bounds_is_refused(gain: float) -> None:
    evidence = Evidence()
    with pytest.raises(InvalidInput, match="gain"):
        evidence.update(gain)
    assert evidence.log == Evidence().log


def test_anothers_state_is_refused_and_changes_nothing() -> None:
    evidence = Evidence()
    evidence.update(1.0)
    before = evidence.log
    for state in ({}, {"log": np.zeros(3)}, {"log": np.full(4, np.nan)}, {"log": np.zeros(4), "more": np.zeros(1)}):
        with pytest.raises(InvalidInput, match="evidence"):
            evidence.load_state_dict(state)
    assert evidence.log == before
