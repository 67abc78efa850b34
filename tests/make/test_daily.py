"""A plan on a battery says how many steps a day it affords, within the band of the device's energy."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import selvedge as sv

MODEL = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
EXAMPLE = torch.zeros(1, 64)
BATTERY = sv.Battery.parse("10mAh@3V", "365d")


def test_steps_a_day_are_the_days_joules_over_a_steps() -> None:
    plan = sv.plan(MODEL, EXAMPLE, device="nrf52832")
    daily, step = sv.steps_per_day(plan, BATTERY), plan.arrangement.programs["step"]
    band = plan.device.energy.band
    assert band > 0
    assert daily.steps.likely * step.joules == pytest.approx(BATTERY.joules_a_day)
    assert (
        daily.steps.low * (1 + band)
        == pytest.approx(daily.steps.likely)
        == pytest.approx(daily.steps.high / (1 + band))
    )
    assert daily.predictions.likely > daily.steps.likely
    assert sv.steps_per_day(plan, BATTERY.joules_a_day) == daily
    # A power station: the day ends first.
    assert sv.steps_per_day(plan, 1e12).steps.low == pytest.approx(86_400 / step.seconds)


def test_a_plan_shows_what_its_source_affords() -> None:
    plan = sv.plan(MODEL, EXAMPLE, device="nrf52832", power=BATTERY)
    daily = sv.steps_per_day(plan, BATTERY)
    assert plan.to_dict()["a_day"] == daily.to_dict()
    assert plan.budget.energy_day_j == BATTERY.joules_a_day
    shown = str(plan)
    assert "battery of 0.03 Wh for 365 days" in shown
    assert f"{float(f'{daily.steps.likely:.3g}'):,.0f} a day" in shown
    assert max(map(len, shown.splitlines())) <= 100
    assert str(BATTERY) in plan._repr_html_()
    plain = sv.plan(MODEL, EXAMPLE, device="nrf52832")
    assert plain.to_dict()["a_day"] is plain.to_dict()["power"] is None
    assert "a day" not in str(plain)


def test_the_smaller_of_source_and_budget_counts() -> None:
    options = {"device": "nrf52832", "power": sv.Solar.parse("20cm2")}
    assert sv.plan(MODEL, EXAMPLE, budget="energy-day=1J", **options).budget.energy_day_j == 1
    assert sv.plan(MODEL, EXAMPLE, budget="energy-day=1000000J", **options).budget.energy_day_j == pytest.approx(3240)


def test_a_day_that_affords_no_step_is_refused() -> None:
    with pytest.raises(sv.InvalidInput, match=r"budget energy-day is 1e-06 J: a step needs .* J on nrf52832"):
        sv.plan(MODEL, EXAMPLE, device="nrf52832", budget="energy-day=1uJ")


def test_without_figures_nothing_is_guessed() -> None:
    board = sv.Device(name="board", ram="64KiB", flash="1MiB")
    with pytest.raises(sv.InvalidInput, match="board has no figures"):
        sv.plan(MODEL, EXAMPLE, device=board, power=BATTERY)
    plan = sv.plan(MODEL, EXAMPLE, device=board)
    with pytest.raises(sv.InvalidInput, match="device is board: it has no figures"):
        sv.steps_per_day(plan, BATTERY)
    for source in (0.0, -1, float("nan"), True, "1J"):
        with pytest.raises(sv.InvalidInput, match="source is"):
            sv.steps_per_day(plan, source)
    with pytest.raises(sv.InvalidInput, match="power is of type str"):
        sv.plan(MODEL, EXAMPLE, device=board, power="1Wh")
