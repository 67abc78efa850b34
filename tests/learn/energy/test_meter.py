"""A governor as a learner sees it, and steps that a kill has made be done twice."""

from __future__ import annotations

import pytest

from selvedge.errors import InvalidInput
from selvedge.learn.energy.governor import Governor, Variant
from selvedge.learn.energy.meter import Meter
from selvedge.learn.energy.senses import Moment


def governor(joules: float = 1.0) -> Governor:
    return Governor(joules, [Variant("plan", 0.1)], predict_joules=0.01)


def test_what_was_granted_and_not_done_is_given_back() -> None:
    meter = Meter(governor())
    meter.at(Moment(0, 10.0))
    assert meter.grant(6) == 6
    assert meter.governor.spent == pytest.approx(0.6)  # charged before it is used
    meter.spend(steps=1)
    meter.spend(steps=1, predictions=5)
    assert meter.settle() == 2
    assert meter.governor.spent == pytest.approx(0.25)
    meter.at(Moment(0, 20.0))
    assert meter.grant(100) == 7
    assert meter.granted
    meter.spend(steps=7)
    meter.settle()
    meter.at(Moment(0, 30.0))
    assert meter.grant(1) == 0
    assert not meter.granted
    assert "J of the day are left" in meter.why
    assert meter.settle() == 0


def test_without_a_time_nothing_is_granted() -> None:
    with pytest.raises(InvalidInput, match="say when it is"):
        Meter(governor()).grant(1)


def test_what_is_done_again_is_charged_whatever_is_left_and_forgotten_after_a_day() -> None:
    made = governor()
    made.redone(Moment(0, 10.0), "plan", 25)
    assert made.spent == pytest.approx(2.5)
    assert made.grant(Moment(0, 20.0), 1).steps == 0
    assert made.grant(Moment(0, 20.0 + 25 * 3600), 4).steps == 4
    with pytest.raises(InvalidInput, match="variant is other: give one of plan"):
        made.redone(Moment(0, 1e6), "other", 1)
    with pytest.raises(InvalidInput, match="steps"):
        made.redone(Moment(0, 1e6), "plan", -1)
