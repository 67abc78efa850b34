"""Budgets from text and from devices, and the limits they keep."""

from __future__ import annotations

import pytest

from selvedge.device import Budget, Device
from selvedge.errors import InvalidInput


def test_a_budget_is_read_from_text() -> None:
    assert Budget.parse("ram=64KiB,flash=512KiB") == Budget(65_536, 524_288)
    assert Budget.parse("ram=64KiB") == Budget(65_536)
    assert Budget.parse(" ram = 1MiB , latency = 20ms , energy = 1.5 mJ ") == Budget(2**20, None, 0.02, 0.0015)
    assert Budget.parse("ram=1kB,latency=0.25").latency_s == 0.25
    assert Budget.parse("ram=1kB,energy=30uJ").energy_j == pytest.approx(30e-6)
    assert Budget.parse("ram=1kB,energy-day=120J") == Budget(1000, energy_day_j=120)
    assert str(Budget.parse("ram=1KiB,energy-day=120J")) == "1 KiB RAM, 120 J a day"


def test_a_budget_of_a_device_leaves_out_what_stack_and_runtime_keep() -> None:
    device = Device(ram="64KiB", flash="512KiB", reserved_ram="4KiB")
    assert Budget.of(device) == Budget(60 * 1024, 512 * 1024)
    assert Budget.of(Device.load("nrf52832")) == Budget(60 * 1024, 512 * 1024)
    assert Budget.of(Device(ram=1024, flash=0)).flash is None


def test_what_is_not_named_comes_from_the_device() -> None:
    device = Budget.of(Device(ram="64KiB", flash="512KiB"))
    assert Budget.parse("ram=32KiB", device) == Budget(32_768, 524_288)
    assert Budget.parse("latency=1s", device) == Budget(65_536, 524_288, 1.0)


def test_a_budget_above_the_device_is_refused_with_what_it_leaves() -> None:
    device = Budget.of(Device(ram="64KiB", flash="512KiB", reserved_ram="4KiB"))
    with pytest.raises(InvalidInput, match="60 KiB"):
        Budget.parse("ram=64KiB", device)
    with pytest.raises(InvalidInput, match=r"latency.*0\.01 s"):
        Budget.parse("latency=20ms", Budget(1024, latency_s=0.01))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "ram, flash, latency, energy"),
        ("flash=1MiB", "name the RAM"),
        ("ram", "ram=64KiB"),
        ("ram=64KiB,", "ram, flash"),
        ("rom=64KiB", "rom=64KiB"),
        ("ram=64KiB,ram=32KiB", "once"),
        ("ram=64K", "64KiB"),
        ("ram=0", "> 0"),
        ("ram=96", "budget ram is 96: write the unit, as 96KiB, or 96B for bytes"),
        ("ram=64KiB,flash=1023", "budget flash is 1023: write the unit, as 1023KiB, or 1023B for bytes"),
        ("ram=64KiB,latency=fast", "20ms"),
        ("ram=64KiB,latency=20mJ", "20ms"),
        ("ram=64KiB,latency=20m", "20ms"),
        ("ram=64KiB,latency=0s", "budget latency is 0s: give a finite number > 0"),
        ("ram=64KiB,energy-day=1e400J", "budget energy-day is 1e400J: give"),
        ("ram=64KiB,energy=1s", "20mJ"),
        ("ram=64KiB,energy=-1J", "-1J"),
        ("ram=64KiB,energy-day=0J", "budget energy-day is 0J"),
    ],
)
def test_a_bad_budget_is_refused_in_one_line(text: str, told: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Budget.parse(text)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("ram", {"ram": 0}),
        ("ram", {"ram": 1.5}),
        ("ram", {"ram": None}),
        ("flash", {"ram": 1, "flash": -1}),
        ("latency_s", {"ram": 1, "latency_s": float("inf")}),
        ("energy_j", {"ram": 1, "energy_j": 0}),
    ],
)
def test_a_budget_has_no_senseless_limit(field: str, fields: dict[str, int]) -> None:
    with pytest.raises(InvalidInput) as refused:
        Budget(**fields)
    assert refused.value.field == f"budget {field}"


def test_a_budget_prints_its_limits() -> None:
    assert str(Budget.parse("ram=64KiB")) == "64 KiB RAM"
    text = str(Budget.parse("ram=64KiB,flash=1MiB,latency=20ms,energy=2J"))
    assert text == "64 KiB RAM, 1 MiB flash, 0.02 s a step, 2 J a step"


def test_what_is_no_text_is_refused_in_one_line() -> None:
    with pytest.raises(InvalidInput, match='budget is of type int: write it as "ram=48KiB"'):
        Budget.parse(5)  # type: ignore[arg-type]


def test_bytes_without_a_unit_are_taken_where_they_can_be_meant() -> None:
    assert Budget.parse("ram=96B,flash=1024") == Budget(ram=96, flash=1024)
    assert Budget(ram="4096").ram == 4096  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="as 96KiB, or 96B"):
        Budget(ram="96")  # type: ignore[arg-type]
