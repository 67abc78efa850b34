"""Each rule of the governor, at its edge; what it remembers, and what it refuses to be told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.learn.energy.governor import Governor, Variant
from selvedge.learn.energy.senses import Charge, Moment, look
from selvedge.learn.energy.simulated import DAY, SimulatedClock, SolarBattery, Weather

ALL, HEAD = Variant("all", 0.5, 2.0), Variant("head", 0.05, 0.5)
HOUR = 3600.0


def at(seconds: float, **more: Any) -> Moment:
    return Moment(1e9 + seconds, seconds, **more)


def charge(share: float, joules: float | None = None, charging: bool = False) -> Charge:
    return Charge(share, joules, charging)


def test_the_dearest_plan_that_can_do_it_then_cheaper_ones() -> None:
    governor = Governor(20.0, [HEAD, ALL], low=0.25)
    first = governor.grant(at(0), 28)
    assert (first.steps, first.variant, first.joules) == (28, "all", 14.0)
    assert first.why == "28 of 28 steps: 14 J of 20 J"
    second = governor.grant(at(60), 28)  # 6 J are left, for 12 steps of the whole and 120 of the head
    assert (second.steps, second.variant) == (28, "head")
    third = governor.grant(at(120), 4)  # 4.6 J: less than a quarter, though the whole could do 4
    assert (third.steps, third.variant) == (4, "head")
    last = governor.grant(at(180), 1000)
    assert (last.steps, last.variant) == (88, "head")
    assert last.why == "88 of 1000 steps: 4.4 J of the day are left"
    assert governor.left == 0.0
    none = governor.grant(at(240), 1)
    assert (none.steps, none.variant, none.why) == (0, None, "0 J of the day are left")


def test_sums_are_exact_where_floats_are_not() -> None:
    """In floats 0.3 is less than three times 0.1."""
    assert Governor(0.3, [Variant("a", 0.1)]).grant(at(0), 9).steps == 3
    assert Governor(0.299999999, [Variant("a", 0.1)]).grant(at(0), 9).steps == 2
    governor = Governor(1.0, [Variant("a", 2.0**-10)], low=0)
    assert governor.grant(at(0), 10_000).steps == 1024 - 1  # 976,562.5 nJ are 976,563
    governor = Governor(1.0, [Variant("a", 1e-6)], low=0)
    steps = [governor.grant(at(i), 100_000).steps for i in range(12)]
    assert sum(steps) == 10**6


def test_a_grant_is_charged_before_it_is_used_and_given_back_once() -> None:
    governor = Governor(10.0, [ALL])
    grant = governor.grant(at(0), 10)
    assert governor.spent == 5.0
    governor.settle(grant, 4)
    assert governor.spent == 2.0
    with pytest.raises(InvalidInput, match="grant is 1: it is settled, or not the last one"):
        governor.settle(grant, 0)
    later = governor.grant(at(1), 3)
    with pytest.raises(InvalidInput, match="grant is 1"):
        governor.settle(grant, 0)
    for done in (-1, 4):
        with pytest.raises(InvalidInput, match=r"done is -?\d: 3 steps were granted"):
            governor.settle(later, done)
    governor.settle(later, 3)
    assert governor.spent == 3.5
    governor.settle(governor.grant(at(2, charge=charge(0.1)), 5), 0)  # nothing was granted: nothing comes back
    assert governor.spent == 3.5


def test_what_comes_back_late_goes_where_it_was_charged() -> None:
    governor = Governor(10.0, [ALL])
    grant = governor.grant(at(0), 20)
    governor.predicted(at(20 * HOUR))
    governor.settle(grant, 10)
    assert governor.spent == 5.0
    assert governor.grant(at(20 * HOUR), 20).steps == 10
    assert governor.grant(at(24.6 * HOUR), 20).steps == 10  # the first is forgotten, the second is not


def test_predictions_have_their_reserve_and_are_never_refused() -> None:
    governor = Governor(10.0, [ALL], predict_joules=0.01, predictions_a_day=500)
    assert governor.grant(at(0), 100).steps == 10  # 5 J of 10 J are set aside
    governor.predicted(at(1), 500)
    assert governor.spent == 10.0
    governor.predicted(at(2), 300)
    assert governor.spent == 13.0  # more than the day: no prediction is refused, and nothing learns
    assert governor.grant(at(3), 1).steps == 0
    second = Governor(10.0, [ALL], predict_joules=0.01, predictions_a_day=500)
    second.predicted(at(0), 700)
    assert second.grant(at(1), 100).steps == 6  # what they took beyond the reserve is learning's


def test_the_battery() -> None:
    governor = Governor(100.0, [ALL], least_charge=0.3)
    assert governor.grant(at(0, charge=charge(0.29)), 5).why == "the battery is at 29%, below 30%"
    assert governor.grant(at(0, charge=charge(0.6, 40.0)), 100).steps == 40  # 20 J lie above 30 % of 66.7 J
    assert governor.grant(at(0, charge=charge(0.3, 20.0)), 100).steps == 0
    assert governor.grant(at(0), 5).steps == 5  # mains: there is no battery
    only = Governor(100.0, [ALL], only_charging=True)
    assert only.grant(at(0, charge=charge(0.9)), 5).why == "the battery is not charging"
    assert only.grant(at(0), 5).why == "the battery is not charging"
    assert only.grant(at(0, charge=charge(0.9, charging=True)), 5).steps == 5


def test_heat_and_cold() -> None:
    governor = Governor(100.0, [ALL], celsius=(0, 45), cool_by=5)
    said = [governor.grant(at(i, celsius=c), 1) for i, c in enumerate((45, 45.1, 43, 40.1, 40, 44, -0.1, 0))]
    assert [g.steps for g in said] == [1, 0, 0, 0, 1, 1, 0, 1]
    assert said[1].why == "45.1 C: above 45 C, learns again at 40 C"
    assert said[6].why == "-0.1 C: below 0 C"


@pytest.mark.parametrize("offset", [0.0, 2.0, -3.5])
def test_hours_of_the_day(offset: float) -> None:
    governor = Governor(100.0, [Variant("a", 0.001)], hours=[(22, 4), (12.5, 13)], utc_offset=offset)
    learns = [
        hour
        for hour in np.arange(0, 24, 0.5)
        if governor.grant(Moment((hour - offset) * HOUR + 40 * DAY, 5.0), 1).steps
    ]
    assert learns == [*np.arange(0, 4, 0.5), 12.5, *np.arange(22, 24, 0.5)]
    assert governor.grant(Moment((5 - offset) * HOUR, 5.0), 1).why == "it is 5 h: learns at 22-4, 12.5-13 h"


@given(waits=st.lists(st.integers(1, 4000), min_size=1, max_size=60), duty=st.sampled_from([0.01, 0.2, 0.9]))
@settings(max_examples=40, deadline=None)
def test_learning_takes_its_share_of_any_time(waits: list[int], duty: float) -> None:
    """In any stretch no more than ``duty`` of it and of 15 minutes; and what it may take it takes."""
    governor = Governor(1e6, [Variant("a", 0.001, 0.25)], duty=duty)
    learned, now = [], 0.0
    for wait in waits:
        now += wait
        learned.append((now, governor.grant(at(now), 10**6).steps * 0.25))
    for i, (begin, _) in enumerate(learned):
        taken = 0.0
        for end, seconds in learned[i:]:
            taken += seconds
            assert taken <= duty * (end - begin + 900) + 1e-6
    whole = sum(seconds for _, seconds in learned)
    assert whole >= duty * (900 + sum(min(wait, 900) for wait in waits[1:])) - 0.25 * len(waits) - 1e-3


def test_a_grant_lasts_fifteen_minutes_at_most() -> None:
    governor = Governor(1e6, [Variant("a", 0.001, 0.7)])
    grant = governor.grant(at(0), 10**6)
    assert (grant.steps, grant.why.split(": ")[1]) == (1285, "learning takes 1 of the time")
    assert grant.steps * 0.7 <= 900


def test_ticks_alone_are_time() -> None:
    """The wall clock is years off, back and forth; the ticks of another start say nothing of this one."""
    governor = Governor(1.0, [ALL])
    assert governor.grant(Moment(1e9, 100.0, 7), 9).steps == 2
    for moment in (Moment(2e9, 200.0, 7), Moment(0.0, 300.0, 7), Moment(3e9, 5.0, 8), Moment(4e9, 24 * HOUR, 8)):
        assert governor.grant(moment, 9).steps == 0, moment
    assert governor.grant(Moment(4e9, 24.6 * HOUR, 8), 9).steps == 2
    assert governor.grant(Moment(4e9, 10.0, 8), 9).steps == 0  # ticks that go back, which they must not
    assert governor.grant(Moment(4e9, 24 * HOUR, 8), 9).steps == 0


def test_a_wall_clock_that_is_kept_counts_while_the_device_is_off() -> None:
    for kept, steps in ((False, 0), (True, 2)):
        governor = Governor(1.0, [ALL], clock_is_kept=kept)
        assert governor.grant(Moment(1e9, 100.0, 7), 9).steps == 2
        assert governor.grant(Moment(1e9 + 25 * HOUR, 1.0, 8), 9).steps == steps


@given(seed=st.integers(0, 1 << 32), cut=st.integers(0, 40))
@settings(max_examples=30, deadline=None)
def test_one_that_loads_a_state_goes_on_as_the_first_would(seed: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    made = {"predict_joules": 0.001, "predictions_a_day": 1000, "duty": 0.3}
    first, second = Governor(20.0, [ALL, HEAD], **made), Governor(20.0, [ALL, HEAD], **made)
    now, loaded = 0.0, False
    for i in range(60):
        now += float(rng.exponential(3000))
        moment = at(now, celsius=float(rng.uniform(30, 50)))
        steps, count, done = (int(n) for n in rng.integers(1, 40, 3))
        if i == cut:
            second.load_state_dict(first.state_dict())
            loaded = True
        first.predicted(moment, count)
        grant = first.grant(moment, steps)
        first.settle(grant, min(done, grant.steps))
        if loaded:
            second.predicted(moment, count)
            assert second.grant(moment, steps) == grant
            second.settle(grant, min(done, grant.steps))
    assert all(np.array_equal(a, second.state_dict()[n]) for n, a in first.state_dict().items())
    assert first.bytes == second.bytes == Governor(20.0, [ALL]).bytes == 2 * 98 * 8 + 4 * 8 + 8 + 1 + 8


def test_a_state_of_another_is_refused_and_changes_nothing() -> None:
    governor = Governor(20.0, [ALL])
    governor.grant(at(0), 7)
    state = governor.state_dict()
    for bad in (
        {},
        {**state, "learned": np.zeros(3, np.int64)},
        {**state, "learned": np.full(98, -1, np.int64)},
        {**state, "time": np.array([0, 0, 10**12, 0])},
    ):
        with pytest.raises(InvalidInput, match="governor state"):
            governor.load_state_dict(bad)
        assert all(np.array_equal(a, governor.state_dict()[n]) for n, a in state.items())


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"joules_a_day": -1}, "joules_a_day is -1: give a number in 0..1e"),
        ({"joules_a_day": float("nan")}, "joules_a_day is nan"),
        (
            {"joules_a_day": 0.4},
            r"joules_a_day is 0.4: predictions and one step take 0.5 J: give as many, or reserve fewer",
        ),
        ({"variants": []}, r"variants is \[\]: give at least one, each under its own name"),
        ({"variants": [ALL, Variant("all", 1.0)]}, r"variants is \['all', 'all'\]"),
        ({"variants": [Variant("all", 0.0)]}, "variant all joules is 0.0"),
        ({"variants": [Variant("all", 1.0, 901)]}, "variant all seconds is 901: give a number in 0..900"),
        ({"duty": 0.0}, "duty is 0.0"),
        ({"duty": 0.5, "variants": [Variant("all", 1.0)]}, "duty is 0.5: give every variant its seconds a step"),
        ({"least_charge": 30}, "least_charge is 30: give a number in 0..1"),
        ({"hours": [(1, 25)]}, "hours is 25: give a number in 0..24"),
        ({"celsius": (40, 10)}, "celsius is 10: give a number in 40..1000"),
        ({"cool_by": 90}, "cool_by is 90: give a number in 0..45"),
        ({"predict_joules": "much"}, "predict_joules is much"),
    ],
)
def test_settings_that_cannot_be(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as refused:
        Governor(**{"joules_a_day": 10.0, "variants": [ALL], **changed})
    assert "\n" not in str(refused.value)


def test_calls_that_cannot_be_change_nothing() -> None:
    governor = Governor(10.0, [ALL])
    state = governor.state_dict()
    half: Any = 1.5
    for call, says in (
        (lambda: governor.grant(at(0), 0), "steps is 0: give a whole number, 1 or more"),
        (lambda: governor.grant(at(0), half), "steps is 1.5"),
        (lambda: governor.predicted(at(0), -1), "count is -1: give a whole number, 0 or more"),
        (lambda: governor.predicted(Moment(float("nan"), 0.0)), "moment wall is nan: give a finite number"),
        (lambda: governor.grant(at(0, celsius=float("inf")), 1), "moment celsius is inf"),
        (lambda: governor.grant(at(-1), 1), "moment is ticks -1"),
        (lambda: governor.grant(at(0, charge=charge(1.2)), 1), "moment is ticks 0, share 1.2"),
    ):
        with pytest.raises(InvalidInput, match=says):
            call()
        assert all(np.array_equal(a, governor.state_dict()[n]) for n, a in state.items())


def test_the_figures_of_a_plan() -> None:
    assert Variant.of("all", {"joules_per_step": 0.5, "seconds_per_step": 2.0}) == ALL
    assert Variant.of("all", {"joules_per_step": 0.5, "seconds_per_step": None}) == Variant("all", 0.5)
    with pytest.raises(InvalidInput, match="plan all joules_per_step is None: measure a step"):
        Variant.of("all", {"joules_per_step": None})


def test_the_sun_charges_by_day() -> None:
    clock, weather = SimulatedClock(), Weather(np.random.default_rng(0))
    battery = SolarBattery(10_000.0, 0.05, weather, clock)
    held = []
    for _ in range(48):
        clock.pass_time(HOUR)
        battery.pass_time(HOUR)
        held.append((battery.held, look(clock, battery).charge.charging))
    by_night = [i for i in range(1, 48) if held[i][0] == held[i - 1][0]]
    assert by_night == [i for i in range(1, 48) if (i + 1) % 24 <= 6 or (i + 1) % 24 >= 18]
    assert [flow for _, flow in held] == [not ((i + 1) % 24 <= 6 or (i + 1) % 24 >= 18) for i in range(48)]
    assert battery.draw(1e9) is False
    assert battery.held == 0.0
