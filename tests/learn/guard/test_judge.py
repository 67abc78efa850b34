"""The judge spends its errors, its credit, and says why not."""

from __future__ import annotations

import numpy as np
import pytest

from selvedge.errors import InvalidInput
from selvedge.learn.guard.anchor import Anchor
from selvedge.learn.guard.answers import ANSWERS
from selvedge.learn.guard.judge import Judge
from selvedge.learn.guard.spending import spent

START = np.r_[np.ones(960), np.zeros(40)]


def judge(margin: float = 0.01) -> Judge:
    anchor = Anchor(np.zeros((1000, 1)), np.zeros(1000), margin=margin, judging=1000)
    return Judge("CrossEntropy", anchor, START, 0.2, 0.05, 256)


def shown(own: Judge) -> int:
    """Samples that a candidate needs which alone is right every second time."""
    for n in range(1, 200):
        own.settle(np.array([1.0, 0.0]), np.zeros(2))
        if own.better:
            return n
    raise AssertionError("never")


def test_each_candidate_needs_more_than_the_last() -> None:
    own = judge()
    needed = []
    for k in range(1, 6):
        assert own.allowed == spent(0.2, k)
        needed.append(shown(own))
        own.next()
    assert needed == sorted(needed)
    assert needed[0] < needed[-1]
    assert not own.better


def test_the_anchor_lets_pass_what_lost_nothing_and_says_what_was_lost() -> None:
    own = judge()
    assert own.lost_at_the_start(START) == ""
    assert own.roomy
    worse = START.copy()
    worse[:30] = 0
    why = own.lost_at_the_start(worse)
    assert "+3.0% on 1000 samples" in why
    assert "1.0% is allowed" in why
    assert not own.roomy


def test_a_look_is_spent_once_by_what_it_says() -> None:
    own = judge(0.02)
    worse = START.copy()
    worse[:100] = 0
    later = START.copy()
    later[300:400] = 0
    assert own.lost_at_the_start(START[:256]) == ""
    assert own.answers.looks == 0
    assert "on 256 samples" in own.lost_at_the_start(worse[:256])
    assert own.lost_at_the_start(later[:256]) == ""
    assert "on 512 samples" in own.lost_at_the_start(later[:512])
    assert own.lost_at_the_start(START) == ""
    assert own.state_dict()["answers"].tolist() == [1, 1, 1, 0], ANSWERS


def test_a_later_look_is_a_stricter_one() -> None:
    own = judge()
    little = START.copy()
    little[:1], little[-1:] = 0, 1
    assert own.lost_at_the_start(little) == ""
    for _ in range(40):
        own.lost_at_the_start(START)
    assert "is allowed" in own.lost_at_the_start(little)


def test_without_an_anchor_it_says_nothing() -> None:
    assert Judge("CrossEntropy", None, np.zeros(0), 0.2, 0.05, 256).lost_at_the_start(np.zeros(0)) == ""


def test_looks_are_paid_for_and_earned() -> None:
    own = judge()
    assert own.pay(1000)
    assert not own.pay(1)
    own.earn(300, most=200)
    assert not own.pay(201)
    assert own.pay(150)
    own.refund(100)
    assert own.pay(150)


def test_refusals_in_turn_are_counted_until_another_candidate() -> None:
    own = judge()
    assert [own.refused(), own.refused()] == [1, 2]
    own.again()
    assert own.refused() == 3
    own.next()
    assert own.refused() == 1


def test_its_state_goes_on_and_anothers_is_refused() -> None:
    one, other = judge(), judge()
    one.settle(np.ones(5), np.zeros(5))
    one.next()
    one.settle(np.ones(3), np.zeros(3))
    one.pay(12)
    one.lost_at_the_start(START)
    other.load_state_dict(one.state_dict())
    assert other.answers.nats == one.answers.nats
    assert other.allowed == one.allowed
    assert other.evidence.log == one.evidence.log
    kept = one.state_dict()
    odd = {**kept, "log": kept["log"] + 1, "told": np.array([-1.0])}
    for state in ({}, {**kept, "count": np.zeros(2)}, {**kept, "log": np.zeros(9)}, {**kept, "odd": np.zeros(1)}, odd):
        with pytest.raises(InvalidInput):
            one.load_state_dict(state)
    assert all(np.array_equal(a, kept[n]) for n, a in one.state_dict().items())
