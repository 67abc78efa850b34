"""A profile's problems all at once; then its doubts."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from selvedge.device import Device
from selvedge.device.check import absent, doubts, problems, unsourced
from selvedge.device.cost import Work, joules, seconds

BAD = """
ram = "64K"
flash = "512KiB"
ramm = 3
clock_hz = "64MHz"
vector_bytes = 12
[throughput]
float32 = 0
int8 = -1
[bandwidth]
ram = 1e8
sram = 1e8
[flash_split]
bootloader = "lots"
[energy]
watts = 1
static_w = "1W"
[energy.byte_j]
disk = 1e-9
[toolchain]
compiler = "gcc"
flags = [1]
[[delegates]]
name = "npu"
kind = "magic"
runtime = "x"
[[times]]
family = "conv2d"
[[sources]]
figures = ["ram"]
kind = "guess"
[[sources]]
figures = "ram"
kind = "estimate"
"""


def test_every_problem_is_found_in_one_run() -> None:
    found = problems(tomllib.loads(BAD))
    fields = [problem.field.removeprefix("device ") for problem in found]
    assert sorted(fields) == sorted(
        [
            "field", "ram", "clock_hz", "vector_bytes", "throughput.float32", "throughput.int8", "bandwidth",
            "flash_split.bootloader", "energy", "energy.static_w", "energy.byte_j", "toolchain.compiler",
            "toolchain.flags", "delegates.kind", "times.dtype", "sources.kind", "sources.figures",
        ]
    )  # fmt: skip
    assert all("\n" not in str(problem) and problem.fix for problem in found)


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ({"ram": "64KiB"}, "device flash"),
        ({}, "device ram"),
        ({"ram": "64KiB", "flash": 0, "reserved_ram": "64KiB"}, "device reserved_ram"),
        ({"ram": "64KiB", "flash": "8KiB", "flash_split": {"bootloader": "16KiB"}}, "device flash_split"),
        ({"ram": "64KiB", "flash": 0, "sources": "datasheet"}, "device sources"),
        ({"ram": "64KiB", "flash": 0, "throughput": 3}, "device throughput"),
        ({"ram": "64KiB", "flash": 0, "throughput": {"float33": 1e6}}, "device throughput"),
        ({"ram": "64KiB", "flash": 0, "energy": {"mac_j": {"float33": 1e-11}}}, "device energy.mac_j"),
    ],
)
def test_what_is_missing_or_only_shows_in_company_is_found(table: dict[str, Any], field: str) -> None:
    assert problems(table)[0].field == field


def test_a_sound_profile_has_no_problem() -> None:
    assert problems({"ram": "64KiB", "flash": "512KiB", "clock_hz": 64e6}) == []


def test_an_alignment_that_the_profile_leaves_out_is_no_figure_of_its_own() -> None:
    def fields(**given: int) -> set[str]:
        return {doubt.field for doubt in unsourced(Device(ram="64KiB", flash="512KiB", **given))}

    assert "alignment" not in fields()
    assert "alignment" not in fields(vector_bytes=16)
    assert "alignment" in fields(alignment=32)


def test_what_is_merely_absent_is_no_doubt() -> None:
    bare = Device(ram="128KiB", flash="512KiB", clock_hz=80e6)
    assert doubts(bare) == []
    assert absent(bare) == [
        "without throughput.float32, bandwidth.ram, bandwidth.flash no seconds",
        "without [energy] no joules",
        "without reserved_ram no bytes for stack and runtime",
    ]
    rates = {"throughput": {"float32": 16e6}, "bandwidth": {"ram": 160e6}}
    # What is said to be absent is what a plan does not know.
    for device in (bare, Device(ram="128KiB", flash=0, reserved_ram=8, energy={"static_w": 0.02}, **rates)):
        work = Work("linear", "float32", 100, {"ram": 64})
        words = " ".join(absent(device))
        assert (seconds(device, [work]) is None) == ("no seconds" in words)
        assert (joules(device, [work]) is None) == ("no joules" in words)
    assert absent(device) == []


def test_figures_without_a_source_and_implausible_ones_are_doubted() -> None:
    device = Device(
        ram="64KiB",
        flash=2048,
        clock_hz=64e6,
        throughput={"float32": 12.8e9, "int8": 100.0},
        bandwidth={"ram": 128.0, "cache": 64.0},
        overhead_s=3.0,
        energy={"static_w": 11_100, "mac_j": {"float32": 2.0}},
        sources=[
            {"figures": ["ram", "flash", "clock_hz"], "kind": "published", "document": "DS1", "where": "page 1"},
            {"figures": ["vector_bytes", "alignment"], "kind": "published"},
            {"figures": ["bandwidth", "energy"], "kind": "estimate"},
        ],
    )
    told = {(doubt.field, doubt.why.split(":")[0]) for doubt in unsourced(device)}
    for field in ("throughput.float32", "throughput.int8", "overhead_s"):
        assert (field, "no source covers it") in told
    assert ("ram", "no source covers it") not in told
    assert ("vector_bytes, alignment", "name the document and the place in it") in told
    assert ("bandwidth, energy", "say how it was reckoned") in told
    doubted = {doubt.field for doubt in doubts(device)}
    assert {
        "throughput.float32",
        "throughput.int8",
        "bandwidth.ram",
        "bandwidth.cache",
        "overhead_s",
        "flash",
    } <= doubted
    assert {"energy.static_w", "energy.mac_j.float32"} <= doubted


def test_twice_clock_times_lanes_is_believed_and_more_is_not() -> None:
    def doubted(rate: float) -> bool:
        device = Device(ram="1MiB", flash="1MiB", clock_hz=1e9, vector_bytes=16, throughput={"float32": rate})
        return any("lanes" in doubt.why for doubt in doubts(device))

    assert not doubted(8e9)
    assert doubted(8.1e9)
