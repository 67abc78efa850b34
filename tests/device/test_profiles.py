"""The built-in profiles: sizes as published, and every figure with its source."""

from __future__ import annotations

import pytest

from selvedge.device import Device, devices

BUILT_IN = [name for name in devices() if name != "this-machine"]
KIB, MIB = 1 << 10, 1 << 20


def figures(device: Device) -> list[str]:
    """Every figure of a device that somebody must have got from somewhere."""
    names = ["ram", "flash", "clock_hz", "vector_bytes", "alignment", "reserved_ram", "overhead_s"]
    names += ["cache"] if device.cache else []
    names += [f"throughput.{dtype}" for dtype in device.throughput]
    names += [f"bandwidth.{level}" for level in device.bandwidth]
    if device.energy is not None:
        names += ["energy.static_w"] if device.energy.static_w else []
        names += [f"energy.mac_j.{dtype}" for dtype in device.energy.mac_j]
        names += [f"energy.byte_j.{level}" for level in device.energy.byte_j]
    return names


def test_the_names_are_listed_with_this_machine_last() -> None:
    assert devices() == ("nrf52832", "raspberry-pi-zero-2w", "stm32f446", "stm32f746", "this-machine")


@pytest.mark.parametrize(
    ("name", "ram", "flash", "clock", "vector"),
    [
        ("nrf52832", 64 * KIB, 512 * KIB, 64e6, 0),
        ("stm32f446", 128 * KIB, 512 * KIB, 180e6, 0),
        ("stm32f746", 320 * KIB, 1 * MIB, 216e6, 0),
        ("raspberry-pi-zero-2w", 512 * MIB, 16 * 10**9, 1e9, 16),
    ],
)
def test_sizes_and_clocks_are_as_published(name: str, ram: int, flash: int, clock: float, vector: int) -> None:
    device = Device.load(name)
    assert (device.name, device.ram, device.flash) == (name, ram, flash)
    assert (device.clock_hz, device.vector_bytes) == (clock, vector)
    for figure in ("ram", "flash", "clock_hz", "vector_bytes"):
        basis = device.basis(figure)
        assert basis is not None
        assert basis.kind == "published"


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_figure_has_one_source_that_can_be_followed(name: str) -> None:
    device = Device.load(name)
    cited = [figure for source in device.sources for figure in source.figures]
    assert sorted(cited) == sorted(figures(device))
    for source in device.sources:
        assert source.kind in ("published", "estimate")
        assert source.says
        if source.kind == "published":
            assert source.document
            assert source.where


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_profile_has_what_a_plan_needs(name: str) -> None:
    device = Device.load(name)
    assert 0 < device.reserved_ram < device.ram
    assert "float32" in device.throughput
    assert {"ram", "flash"} <= set(device.bandwidth)
    assert device.toolchain is not None
    assert device.toolchain.compiler[0].endswith("gcc")
    assert device.clock_hz is not None
    # One core cannot do more than a full vector of MACs a cycle and pipe.
    assert device.throughput["float32"] <= 2 * device.clock_hz * max(device.vector_bytes // 4, 1)
    assert device.summary
