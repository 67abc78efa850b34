"""A round that moves the weights far more than others did is seen, and its candidate dropped."""

from __future__ import annotations

import numpy as np
import pytest

from selvedge.errors import InvalidInput
from selvedge.learn.guard.norm import FEWEST, NormGuard

from .. import small
from ..small import data, floats, follow, learner


def test_a_leap_is_seen_and_does_not_become_usual() -> None:
    guard = NormGuard()
    rng = np.random.default_rng(0)
    assert not any(guard.update(float(norm)) for norm in np.exp(rng.normal(0, 0.4, 200)))
    usual = guard.usual
    assert 0.7 < usual < 1.5
    assert all(guard.update(20.0) for _ in range(FEWEST - 1))
    assert guard.usual == usual
    assert guard.update(float("nan"))
    assert guard.update(float("inf"))
    assert not guard.update(0.0)


def test_a_change_that_stays_becomes_usual() -> None:
    guard = NormGuard()
    assert not any(guard.update(0.01) for _ in range(20))
    assert [guard.update(0.2) for _ in range(50)] == [True] * FEWEST + [False] * (50 - FEWEST)
    assert guard.usual == pytest.approx(0.2)


def test_what_grows_slowly_and_what_comes_first_is_no_leap() -> None:
    guard = NormGuard()
    assert not any(guard.update(1.05**i) for i in range(200))
    first = NormGuard()
    assert not any(first.update(10.0 ** (3 * i % 7)) for i in range(FEWEST))


def test_a_learner_drops_what_a_few_huge_samples_have_moved() -> None:
    x, y = data()["stream"]
    own = learner(norm_guard=NormGuard())
    plain = learner(small.session(which=1))
    for one in (own, plain):
        follow(one, floats(x[:160]), y[:160])
    assert "dropped" not in own.diary.counts
    assert own.bytes.total == plain.bytes.total + 24
    start = own.session.snapshot()
    huge = floats(x[160:168]) * np.float32(30)
    follow(own, huge, (y[160:168] + 1) % 10)
    assert own.diary.counts["dropped"] == 1
    assert "norm leapt" in next(entry.why for entry in own.diary if entry.kind == "dropped")
    assert small.same(own.session.snapshot(), start)


def test_its_state_goes_on_and_anothers_is_refused() -> None:
    one, other = NormGuard(), NormGuard()
    for norm in (1.0, 2.0, 3.0):
        one.update(norm)
    other.load_state_dict(one.state_dict())
    assert other.usual == one.usual
    for state in ({}, {"numbers": np.zeros(2)}, {"numbers": np.array([np.nan, 0.0, 0.0])}):
        with pytest.raises(InvalidInput, match="norm guard"):
            one.load_state_dict(state)
    with pytest.raises(InvalidInput, match="times"):
        NormGuard(1.0)
