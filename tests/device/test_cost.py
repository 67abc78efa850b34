"""Time is the longer of arithmetic and traffic, plus a price a kernel; no figure, no number."""

from __future__ import annotations

import pytest

from selvedge.device import Device, joules, seconds
from selvedge.errors import InvalidInput

DEVICE = Device(
    ram="64KiB",
    flash="1MiB",
    throughput={"float32": 1e6},
    bandwidth={"ram": 2e6, "flash": 1e6},
    overhead_s=1e-3,
    energy={"static_w": 0.5, "mac_j": {"float32": 1e-9}, "byte_j": {"ram": 1e-9, "flash": 2e-9}},
)


def test_arithmetic_bounds_a_dense_kernel() -> None:
    assert seconds(DEVICE, 10_000, {"ram": 4000}) == pytest.approx(0.01)


def test_traffic_bounds_a_lean_kernel_and_levels_add_up() -> None:
    assert seconds(DEVICE, 1000, {"ram": 20_000, "flash": 5000}) == pytest.approx(0.015)


def test_every_kernel_costs_its_overhead() -> None:
    assert seconds(DEVICE, 0, {}, kernels=7) == pytest.approx(0.007)
    assert seconds(DEVICE, 10_000, {}, kernels=2) == pytest.approx(0.012)


def test_energy_is_static_power_over_time_and_a_price_a_mac_and_a_byte() -> None:
    expected = 0.5 * 0.011 + 10_000e-9 + 4000e-9 + 100 * 2e-9
    assert joules(DEVICE, 10_000, {"ram": 4000, "flash": 100}, kernels=1) == pytest.approx(expected)


def test_a_busy_chip_with_only_its_power_published_costs_power_times_time() -> None:
    device = Device.load("nrf52832")
    time = seconds(device, 1_000_000, {"ram": 1000}, kernels=3)
    energy = joules(device, 1_000_000, {"ram": 1000}, kernels=3)
    assert time == pytest.approx(1e6 / 12.8e6 + 3 * 3.1e-6)
    assert energy == pytest.approx(0.0111 * (1e6 / 12.8e6 + 3 * 3.1e-6))


def test_a_missing_figure_gives_no_number() -> None:
    bare = Device(ram="64KiB", flash="1MiB")
    assert seconds(bare, 1, {}) is None
    assert seconds(bare, 0, {"ram": 1}) is None
    assert joules(bare, 1, {}) is None
    assert seconds(DEVICE, 1, {}, dtype="int8") is None
    assert seconds(DEVICE, 0, {"cache": 1}) is None
    assert joules(DEVICE, 1, {}, dtype="int8") is None
    assert joules(Device.load("stm32f446"), 1, {"ram": 1}) is None
    priced = Device(ram=1024, flash=0, bandwidth={"ram": 1.0}, energy={"byte_j": {"flash": 1e-9}})
    assert joules(priced, 0, {"ram": 1}) is None


def test_a_figure_that_is_not_needed_is_not_missed() -> None:
    bare = Device(ram="64KiB", flash="1MiB", energy={"mac_j": {"float32": 1e-9}})
    assert seconds(bare, 0, {"ram": 0}) == 0.0
    assert joules(bare, 1000, {}) == pytest.approx(1e-6)


@pytest.mark.parametrize(
    ("macs", "moved", "kernels", "field"),
    [
        (-1, {}, 0, "macs"),
        (1, {"ram": -1}, 0, "ram"),
        (1, {}, -1, "kernels"),
        (1, {"disk": 1}, 0, "memory level"),
    ],
)
def test_senseless_work_is_refused(macs: int, moved: dict[str, int], kernels: int, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        seconds(DEVICE, macs, moved, kernels=kernels)
    assert refused.value.field == field
