"""A battery and a solar cell give the joules a day that physics says; what cannot be read is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.device import Battery, Solar
from selvedge.device.power import DAY, MONTH, runs
from selvedge.errors import InvalidInput


def left(battery: Battery, draw: float, steps: int = 20_000) -> float:
    """Joules after the battery's life under an even ``draw`` a day, integrated step by step (Heun's method)."""
    rate, dt = -math.log(1 - battery.self_discharge) / MONTH, battery.life_days / steps
    energy = battery.joules
    for _ in range(steps):
        slope = -rate * energy - draw
        energy += dt / 2 * (slope - rate * (energy + dt * slope) - draw)
    return energy


@settings(max_examples=15, deadline=None)
@given(st.floats(10, 1e6), st.floats(1, 3000), st.floats(0, 0.3))
def test_an_even_draw_empties_the_battery_at_the_end_of_its_life(joules: float, days: float, loss: float) -> None:
    battery = Battery(joules, days, loss)
    assert abs(left(battery, battery.joules_a_day)) < 1e-5 * joules
    assert battery.joules_a_day <= joules / days * (1 + 1e-9)


def test_what_a_battery_holds_is_read_as_written() -> None:
    assert Battery.parse("1000mAh@3.7V").joules == pytest.approx(13_320)
    assert Battery.parse("1 Ah @ 3.7 V", "52w").life_days == 364
    assert Battery.parse("3.7Wh").joules == pytest.approx(13_320)
    assert Battery.parse("13.32kJ,share=0.5,self_discharge=0", "1y").joules_a_day == pytest.approx(6660 / 365.25)
    assert str(Battery.parse("1000mAh@3.7V,share=0.5")) == "battery of 3.7 Wh for 365 days, 50% of it for learning"


def test_a_solar_cell_gives_area_times_insolation_times_what_arrives() -> None:
    # 20 cm2 at 3 kWh/m2/day: 6 Wh of light, 1.2 Wh of current, 0.9 Wh behind the converter.
    assert Solar.parse("20cm2").joules_a_day == pytest.approx(0.9 * 3600)
    assert Solar.parse("0.002m2,insolation=6,efficiency=0.1,performance=1,share=0.25").joules_a_day == pytest.approx(
        0.002 * 6 * 3.6e6 * 0.1 * 0.25
    )
    assert Solar.parse("2000mm2") == Solar.parse("20cm2")


@settings(max_examples=50, deadline=None)
@given(st.floats(1e-3, 1e6), st.floats(1e-9, 10), st.floats(1e-6, 1e3) | st.none(), st.floats(0, 3))
def test_runs_keep_the_days_energy_and_its_time(joules: float, each: float, seconds: float | None, band: float) -> None:
    found = runs(joules, each, seconds, band)
    assert 0 < found.low <= found.likely <= found.high
    most = np.inf if seconds is None else DAY / seconds
    assert found.high <= most
    for n, drawn in ((found.low, each * (1 + band)), (found.likely, each), (found.high, each / (1 + band))):
        assert n == pytest.approx(most) or n * drawn == pytest.approx(joules)


@pytest.mark.parametrize(
    ("read", "field"),
    [
        (lambda: Battery.parse(""), "battery"),
        (lambda: Battery.parse("1000mAh"), "battery"),
        (lambda: Battery.parse("0Wh"), "battery joules"),
        (lambda: Battery.parse("1Wh", "365"), "life"),
        (lambda: Battery.parse("1Wh", "0d"), "battery life_days"),
        (lambda: Battery.parse("1Wh,colour=1"), "battery"),
        (lambda: Battery.parse("1Wh,share=1,share=1"), "battery"),
        (lambda: Battery.parse("1Wh,share=x"), "battery share"),
        (lambda: Battery.parse("1Wh,share=1.1"), "battery share"),
        (lambda: Battery.parse("1Wh,self_discharge=1"), "battery self_discharge"),
        (lambda: Battery.parse(1000), "battery"),
        (lambda: Battery.parse("1Wh", 365), "life"),
        (lambda: Solar.parse(b"20cm2"), "solar"),
        (lambda: Battery(10**400, 1), "battery joules"),
        (lambda: Battery(math.inf, 1), "battery joules"),
        (lambda: Battery(True, 1), "battery joules"),
        (lambda: Solar.parse("20"), "solar"),
        (lambda: Solar.parse("0cm2"), "solar area_m2"),
        (lambda: Solar.parse("1cm2,efficiency=2"), "solar efficiency"),
        (lambda: Solar.parse("1cm2,insolation=nan"), "solar insolation_kwh"),
    ],
)
def test_what_cannot_be_is_refused_by_name(read: object, field: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read()  # type: ignore[operator]
    assert error.value.field == field
    assert "\n" not in str(error.value)
