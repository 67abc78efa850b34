"""1,000 simulated days: no 24 hours in a row ever spend more than the day's energy, whatever clock and weather do."""

from __future__ import annotations

import os
from fractions import Fraction
from math import floor

from selvedge.learn.energy.governor import Governor, Variant
from selvedge.learn.energy.senses import look
from selvedge.learn.energy.simulated import DAY, SimulatedClock

from .living import NANO, live, most_in_24_hours

DEVICES = int(os.environ.get("SELVEDGE_EXAMPLES", "40"))
DAYS = 25


def test_a_thousand_days_never_exceed_their_energy() -> None:
    """40 devices of random settings for 25 days; all of them together also learn, are refused, jump and die."""
    steps = kills = jumps = 0
    refused: set[str] = set()
    for seed in range(DEVICES):
        life = live(seed, DAYS)
        assert most_in_24_hours(life.spent) <= floor(Fraction(str(life.day)) * NANO), seed
        steps += sum(life.steps.values())
        kills, jumps = kills + life.kills, jumps + life.jumps
        refused |= set(life.refused)
    assert steps > 1000 * DEVICES
    assert min(kills, jumps) > DEVICES
    assert len(refused) >= 4, refused


def test_the_days_energy_is_used_where_nothing_else_limits() -> None:
    """A governor that never learns would keep any bound: this one uses 95 % and more of what learning has."""
    given = {
        "joules_a_day": 100.0,
        "variants": [Variant("all", 0.1, 0.5), Variant("head", 0.01, 0.1)],
        "predict_joules": 0.001,
        "predictions_a_day": 10_000,
        "least_charge": 0.0,
        "celsius": (-50.0, 100.0),
        "low": 0.0,
    }
    days = 60
    life = live(3, days, given, faults=False)
    could = (life.day - life.reserve) * days * NANO
    assert 0.95 * could < life.learned <= could + (life.day - life.reserve) * NANO
    assert most_in_24_hours(life.spent) <= life.day * NANO


def test_a_clock_that_jumps_every_hour_gives_no_day_twice_and_takes_none() -> None:
    for jump in (DAY, -DAY, 0.0):
        clock, governor = SimulatedClock(1e9), Governor(10.0, [Variant("all", 1.0)])
        steps = 0
        while clock.true < 20 * DAY:
            steps += governor.grant(look(clock), 100).steps
            clock.pass_time(3600)
            clock.jump(jump)
        assert steps == 10 * 20  # at 0 h, at 24 h 30 min asked at 25 h, ...: 20 times 25 h are 500 h
