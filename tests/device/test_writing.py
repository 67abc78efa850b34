"""A profile that is written reads back as the same device."""

from __future__ import annotations

from pathlib import Path

import pytest

from selvedge.device import Device, devices
from selvedge.device.writing import to_toml


@pytest.mark.parametrize("name", devices())
def test_every_device_survives_the_way_through_its_file(name: str, tmp_path: Path) -> None:
    device = Device.load(name)
    path = tmp_path / "again.toml"
    path.write_text(to_toml(device), encoding="utf-8")
    assert Device.load(path) == device


def test_awkward_text_and_measured_times_survive(tmp_path: Path) -> None:
    device = Device(
        name='a "board" \\ é',
        summary="two\nlines\tand \x7f",
        ram="64KiB",
        flash="1MiB",
        throughput={"float32": 1.25e7},
        ram_elsewhere={"odd name": 4096},
        times=[{"family": "conv2d", "dtype": "float32", "call": 1.5e-7, "mac": 0.0}],
        sources=[{"figures": ["ram"], "kind": "measured", "says": "here"}],
    )
    path = tmp_path / "board.toml"
    path.write_text(to_toml(device), encoding="utf-8")
    assert Device.load(path) == device
