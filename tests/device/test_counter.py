"""The energy counter as Linux shows it: files that count up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from selvedge.artifact.toolchain import Compiler, NoCompiler
from selvedge.device import Device
from selvedge.device.counter import ROOT, find
from selvedge.device.measure import this_machine


def powercap(root: Path, name: str, microjoules: int, most: int = 10**9) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text(f"{most}\n")
    return folder / "energy_uj"


def test_the_package_is_found_and_its_power_is_what_it_counted(tmp_path: Path) -> None:
    powercap(tmp_path, "intel-rapl:0:0", 5)  # cores within the package
    path = powercap(tmp_path, "intel-rapl:0", 999_000_000)
    counter = find(tmp_path)
    assert counter is not None
    assert counter.path == path
    span = counter.start()
    path.write_text("1000000\n")  # over the top: 2 J more
    watts = span.watts()
    assert watts is not None
    assert watts > 0
    path.write_text("999000000\n")
    assert span.watts() is None  # it did not move


def test_a_counter_that_may_not_be_read_is_none(tmp_path: Path) -> None:
    assert find(tmp_path) is None
    assert find(tmp_path / "absent") is None
    powercap(tmp_path, "intel-rapl:0", 1).write_text("not a number")
    assert find(tmp_path) is None


@pytest.mark.skipif(os.path.isdir(ROOT), reason="this machine shows a counter")
def test_a_machine_without_a_counter_is_said_to_have_none() -> None:
    def nowhere() -> Compiler:
        raise NoCompiler

    device = Device(**this_machine(nowhere))
    assert device.energy is None
    basis = device.basis("energy")
    assert basis is not None
    assert "no energy counter" in basis.says
