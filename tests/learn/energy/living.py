"""A device that lives for some days under random weather, with a random governor, and all that really was spent."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np

from selvedge.learn.energy.governor import Governor, Variant
from selvedge.learn.energy.senses import look
from selvedge.learn.energy.simulated import DAY, SimulatedClock, SimulatedThermometer, SolarBattery, Weather

NANO = 10**9


@dataclass
class Life:
    """``spent``: (true second, nanojoules) in order, the time that of the spending itself, not that of the grant."""

    day: float
    reserve: float
    spent: list[tuple[float, int]] = field(default_factory=list)
    learned: int = 0  # nanojoules
    steps: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    jumps: int = 0


def settings(rng: np.random.Generator) -> dict[str, Any]:
    """Random, but such that something can be learnt."""
    variants = [Variant("all", float(rng.uniform(0.01, 0.5)), float(rng.uniform(0.1, 3)))]
    variants += [Variant("head", variants[0].joules * 0.1, variants[0].seconds * 0.2)] if rng.random() < 0.7 else []
    predict = float(rng.uniform(1e-6, 0.01))
    return {
        "joules_a_day": float(rng.uniform(20, 400)),
        "variants": variants,
        "predict_joules": predict,
        "predictions_a_day": int(rng.integers(300, min(20_000, int(10 / predict)))),
        "only_charging": bool(rng.random() < 0.3),
        "least_charge": float(rng.choice([0.0, 0.2, 0.5])),
        "hours": [(22.0, 5.0)] if rng.random() < 0.2 else (),
        "duty": float(rng.choice([0.05, 0.5, 1.0])),
    }


def live(seed: int, days: float, given: dict[str, Any] | None = None, faults: bool = True) -> Life:
    """``faults``: the wall clock jumps, the device restarts, and dies between a grant and its end."""
    rng = np.random.default_rng(seed)
    given = settings(rng) if given is None else given
    clock = SimulatedClock(1.7e9 + float(rng.uniform(0, DAY)))
    weather = Weather(rng)
    battery = SolarBattery(float(rng.uniform(100, 2000)), float(rng.uniform(0.01, 0.1)), weather, clock)
    thermometer = SimulatedThermometer(weather, clock)
    costs = {v.name: ceil(Fraction(str(v.joules)) * NANO) for v in given["variants"]}
    seconds = {v.name: v.seconds for v in given["variants"]}
    governor = Governor(**given)
    saved = governor.state_dict()
    life = Life(given["joules_a_day"], given["predictions_a_day"] * given["predict_joules"])
    predict = ceil(Fraction(str(given["predict_joules"])) * NANO)
    each = given["predictions_a_day"] // 300  # a window of 24 h has at most 289 rounds, 300 s apart or more

    def spend(joules: float, nanojoules: int, from_: float, to: float) -> None:
        battery.draw(joules)
        life.spent.append((float(rng.uniform(from_, to)), nanojoules))

    while clock.true < days * DAY:
        wait = float(rng.exponential(800)) + 300
        clock.pass_time(wait)
        battery.pass_time(wait)
        if faults and rng.random() < 0.01:
            life.jumps += 1
            clock.jump(float(rng.choice([-1, 1])) * float(rng.exponential(DAY)))
        if faults and rng.random() < 0.01:  # what was saved last is all that is left
            clock.restart(float(rng.exponential(DAY / 4)) * (rng.random() < 0.5), kept=rng.random() < 0.5)
            governor = Governor(**given)
            governor.load_state_dict(saved)
        made = int(rng.integers(0, each + 1))
        governor.predicted(look(clock, battery, thermometer), made)
        spend(made * given["predict_joules"], made * predict, clock.true, clock.true)
        grant = governor.grant(look(clock, battery, thermometer), int(rng.integers(1, 200)))
        saved = governor.state_dict()  # before anything is learnt
        if not grant.steps:
            why = re.sub(r"-?[\d.]+(e[+-]?\d+)?", "#", grant.why)
            life.refused[why] = life.refused.get(why, 0) + 1
            continue
        assert grant.variant is not None
        done = int(rng.integers(0, grant.steps + 1)) if rng.random() < 0.3 else grant.steps
        took = done * seconds[grant.variant]
        assert took <= 900
        clock.pass_time(took)
        thermometer.warmer = 20 * took / 900
        spend(done * grant.joules / grant.steps, done * costs[grant.variant], clock.true - took, clock.true)
        assert battery.held >= battery.full * given["least_charge"] - 1e-6
        life.learned += done * costs[grant.variant]
        life.steps[grant.variant] = life.steps.get(grant.variant, 0) + done
        if faults and rng.random() < 0.02:  # it dies before it can say how many were done
            life.kills += 1
            governor = Governor(**given)
            governor.load_state_dict(saved)
        else:
            governor.settle(grant, done)
            saved = governor.state_dict()
    life.spent.sort()
    return life


def most_in_24_hours(spent: list[tuple[float, int]]) -> int:
    """Nanojoules, of any window of 24 h, both ends included: two pointers over exact whole numbers."""
    most = within = first = 0
    for time, amount in spent:
        within += amount
        while spent[first][0] < time - DAY:
            within -= spent[first][1]
            first += 1
        most = max(most, within)
    return most
