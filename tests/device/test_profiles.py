"""The built-in profiles: sizes as published, and every figure with its source."""

from __future__ import annotations

import pytest

from selvedge.device import Budget, Device, devices
from selvedge.device.check import doubts, figures, unsourced

BUILT_IN = [name for name in devices() if name != "this-machine"]
KIB, MIB = 1 << 10, 1 << 20


def test_the_names_are_listed_with_this_machine_last() -> None:
    cores = {
        "rp2040",
        "nrf52840",
        "stm32f446",
        "stm32f746",
        "stm32h743",
        "rp2350",
        "nrf5340",
        "corstone-300",
        "esp32-s3",
    }
    boards = {"gap9", "raspberry-pi-zero-2w", "raspberry-pi-4", "raspberry-pi-5", "jetson-orin-nano", "phone-midrange"}
    assert set(devices()) >= {"nrf52832", "this-machine", *cores, *boards}  # a profile that is added joins by itself
    assert devices()[-1] == "this-machine"
    assert list(devices()[:-1]) == sorted(devices()[:-1])


@pytest.mark.parametrize(
    ("name", "ram", "flash", "clock", "vector"),
    [
        ("nrf52832", 64 * KIB, 512 * KIB, 64e6, 0),
        ("stm32f446", 128 * KIB, 512 * KIB, 180e6, 0),
        ("stm32f746", 320 * KIB, 1 * MIB, 216e6, 0),
        ("raspberry-pi-zero-2w", 512 * MIB, 16 * 10**9, 1e9, 16),
        ("nrf52840", 256 * KIB, 1 * MIB, 64e6, 0),
        ("stm32h743", 512 * KIB, 2 * MIB, 400e6, 0),
        ("nrf5340", 512 * KIB, 1 * MIB, 128e6, 0),
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
    assert len(cited) == len(set(cited))
    known = [figure for figure, _ in figures(device)]
    assert [str(doubt) for doubt in unsourced(device)] == []
    assert [c for c in cited if not any(f == c or f.startswith(f"{c}.") for f in known)] == []
    for source in device.sources:
        assert source.kind in ("published", "estimate")
        assert source.says
        if source.kind == "published":
            assert source.document
            assert source.where


@pytest.mark.parametrize("name", BUILT_IN)
def test_no_figure_of_ours_is_implausible(name: str) -> None:
    assert [str(doubt) for doubt in doubts(Device.load(name))] == []


def test_what_boot_loader_and_updates_keep_is_not_the_plans() -> None:
    device = Device.load("esp32-s3")
    assert (device.flash_split.bootloader, device.flash_split.update_slot) == (64 * KIB, 1 * MIB)
    assert Budget.of(device).flash == 8 * MIB - 64 * KIB - 1 * MIB


def test_only_the_largest_piece_of_ram_is_the_arenas() -> None:
    device = Device.load("stm32h743")
    assert dict(device.ram_elsewhere) == {"dtcm": 128 * KIB, "sram1_to_3": 288 * KIB, "sram4": 64 * KIB}
    assert Budget.of(device).ram == device.ram - device.reserved_ram == 496 * KIB


def test_accelerators_say_what_they_run_and_who_reaches_them() -> None:
    (npu,) = Device.load("corstone-300").delegates
    assert (npu.name, npu.kind, npu.dtypes) == ("ethos-u55", "npu", ("int8",))
    assert npu.ops["int8"] == 2 * 128 * 32e6
    assert "ExecuTorch" in npu.runtime


def test_a_core_without_fpu_pays_for_every_float() -> None:
    device = Device.load("rp2040")
    assert device.clock_hz is not None
    assert device.clock_hz / device.throughput["float32"] > 100


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
