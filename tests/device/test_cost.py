"""Time is a sum over kernels: by the measured table, else the longer of arithmetic and traffic and a price a kernel."""

from __future__ import annotations

import dataclasses

import pytest

from selvedge.device import Device, Energy, Work, joules, seconds
from selvedge.errors import InvalidInput

DEVICE = Device(
    ram="64KiB",
    flash="1MiB",
    throughput={"float32": 1e6},
    bandwidth={"ram": 2e6, "flash": 1e6},
    overhead_s=1e-3,
    energy={"static_w": 0.5, "mac_j": {"float32": 1e-9}, "byte_j": {"ram": 1e-9, "flash": 2e-9}},
)


def one(macs: int, moved: dict[str, int], dtype: str = "float32", family: str = "conv2d", **counts: float) -> Work:
    return Work(family, dtype, macs, moved, {"call": 1.0, **counts})


def test_arithmetic_bounds_a_dense_kernel() -> None:
    assert seconds(DEVICE, [one(10_000, {"ram": 4000})]) == pytest.approx(0.011)


def test_traffic_bounds_a_lean_kernel_and_levels_add_up() -> None:
    assert seconds(DEVICE, [one(1000, {"ram": 20_000, "flash": 5000})]) == pytest.approx(0.016)


def test_each_kernel_has_its_own_bound_and_its_overhead() -> None:
    assert seconds(DEVICE, []) == 0.0
    assert seconds(DEVICE, [one(0, {})] * 7) == pytest.approx(0.007)
    assert seconds(DEVICE, [one(10_000, {}), one(0, {"ram": 20_000})]) == pytest.approx(0.022)


def test_a_measured_table_is_taken_where_it_has_the_family() -> None:
    times = [{"family": "conv2d", "dtype": "float32", "call": 2e-3, "mac": 1e-6, "byte": 1e-9}]
    device = dataclasses.replace(DEVICE, times=times)
    assert seconds(device, [one(10_000, {"ram": 4000}, mac=625, byte=4000)]) == pytest.approx(2e-3 + 625e-6 + 4e-6)
    assert seconds(device, [one(10_000, {"ram": 4000}, family="loop")]) == pytest.approx(0.011)
    assert seconds(device, [one(10_000, {}, dtype="float64")]) is None
    assert Device(ram=1024, flash=0, times=times).times == device.times


def test_energy_is_static_power_over_time_and_a_price_a_mac_and_a_byte() -> None:
    expected = 0.5 * 0.011 + 10_000e-9 + 4000e-9 + 100 * 2e-9
    assert joules(DEVICE, [one(10_000, {"ram": 4000, "flash": 100})]) == pytest.approx(expected)


def test_a_busy_chip_with_only_its_power_published_costs_power_times_time() -> None:
    device = Device.load("nrf52832")
    done = [one(500_000, {"ram": 500}), one(500_000, {"ram": 500}), one(0, {})]
    time = 1e6 / 12.8e6 + 3 * 3.1e-6
    assert seconds(device, done) == pytest.approx(time)
    assert joules(device, done) == pytest.approx(0.0111 * time)


def test_an_energy_has_a_band_around_it() -> None:
    energy = Energy(static_w=1.0, band=0.5)
    assert (energy.low(1.2), energy.high(1.2)) == (pytest.approx(0.8), pytest.approx(1.8))
    unsure = Energy(static_w=1.0)
    assert (unsure.low(1.0), unsure.high(1.0)) == (0.5, 2.0)


def test_a_missing_figure_gives_no_number() -> None:
    bare = Device(ram="64KiB", flash="1MiB")
    assert seconds(bare, [one(1, {})]) is None
    assert seconds(bare, [one(0, {"ram": 1})]) is None
    assert joules(bare, [one(1, {})]) is None
    assert seconds(DEVICE, [one(1, {}, dtype="int8")]) is None
    assert seconds(DEVICE, [one(0, {"cache": 1})]) is None
    assert joules(DEVICE, [one(1, {}, dtype="int8")]) is None
    assert joules(Device.load("stm32f446"), [one(1, {"ram": 1})]) is None
    priced = Device(ram=1024, flash=0, bandwidth={"ram": 1.0}, energy={"byte_j": {"flash": 1e-9}})
    assert joules(priced, [one(0, {"ram": 1})]) is None


def test_a_figure_that_is_not_needed_is_not_missed() -> None:
    bare = Device(ram="64KiB", flash="1MiB", energy={"mac_j": {"float32": 1e-9}})
    assert seconds(bare, [one(0, {"ram": 0})]) == 0.0
    assert joules(bare, [one(1000, {})]) == pytest.approx(1e-6)


@pytest.mark.parametrize(
    ("macs", "moved", "counts", "field"),
    [
        (-1, {}, {}, "macs"),
        (1, {"ram": -1}, {}, "ram"),
        (1, {}, {"line": -1.0}, "line"),
        (1, {"disk": 1}, {}, "memory level"),
        (1, {}, {"flops": 1.0}, "count"),
    ],
)
def test_senseless_work_is_refused(macs: int, moved: dict[str, int], counts: dict[str, float], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        one(macs, moved, **counts)
    assert refused.value.field == field
