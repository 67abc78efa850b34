"""A device given inline or by a file of the user's: what is accepted, and what is refused in one line."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from pathlib import Path
from typing import Any

import pytest

from selvedge.device import Device, Energy, Rates, Toolchain
from selvedge.errors import InvalidInput


def test_sizes_are_given_as_text_or_bytes() -> None:
    device = Device(ram="320KiB", flash=1 << 20, reserved_ram="8KiB")
    assert (device.ram, device.flash, device.reserved_ram) == (327_680, 1_048_576, 8192)
    assert device.name == "custom"
    assert device.clock_hz is None
    assert device.throughput == {}
    assert str(device) == "custom: 320 KiB RAM, 1 MiB flash"


def test_buffers_are_aligned_to_a_vector_unless_told_otherwise() -> None:
    assert Device(ram=1024, flash=0).alignment == 8
    assert Device(ram=1024, flash=0, vector_bytes=64).alignment == 64
    assert Device(ram=1024, flash=0, vector_bytes=64, alignment=4).alignment == 4


def test_a_device_is_a_frozen_hashable_value() -> None:
    device = Device(ram="64KiB", flash="1MiB", throughput={"float32": 1e6}, energy={"static_w": 0.5})
    assert device == Device(ram=65_536, flash=2**20, throughput={"float32": 1e6}, energy=Energy(0.5))
    assert hash(device) == hash(copy.deepcopy(device))
    assert pickle.loads(pickle.dumps(device)) == device
    assert dataclasses.replace(device, ram="128KiB").ram == 131_072
    assert device.throughput["float32"] == 1e6
    assert device.energy == Energy(0.5, Rates(), Rates())
    with pytest.raises(dataclasses.FrozenInstanceError):
        device.ram = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        device.throughput["float32"] = 2e6  # type: ignore[index]


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("ram", {"ram": "64K"}),
        ("ram", {"ram": 0}),
        ("ram", {"ram": -5}),
        ("flash", {"flash": "much"}),
        ("reserved_ram", {"reserved_ram": "64KiB"}),
        ("name", {"name": ""}),
        ("clock_hz", {"clock_hz": 0}),
        ("clock_hz", {"clock_hz": float("nan")}),
        ("clock_hz", {"clock_hz": "64MHz"}),
        ("vector_bytes", {"vector_bytes": 12}),
        ("alignment", {"alignment": 0}),
        ("alignment", {"alignment": 24}),
        ("throughput.float32", {"throughput": {"float32": 0}}),
        ("throughput", {"throughput": 1e6}),
        ("bandwidth", {"bandwidth": {"sram": 1e6}}),
        ("overhead_s", {"overhead_s": -1e-6}),
        ("energy", {"energy": {"watts": 1}}),
        ("energy.static_w", {"energy": {"static_w": "1W"}}),
        ("energy.byte_j", {"energy": {"byte_j": {"disk": 1e-9}}}),
        ("toolchain.compiler", {"toolchain": {"flags": []}}),
        ("toolchain.compiler", {"toolchain": {"compiler": "gcc"}}),
        ("toolchain.flags", {"toolchain": {"compiler": ["gcc"], "flags": [1]}}),
        ("sources.kind", {"sources": [{"figures": ["ram"], "kind": "guess"}]}),
        ("sources", {"sources": ["a datasheet"]}),
    ],
)
def test_a_bad_figure_is_refused_by_its_name(field: str, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        Device(**({"ram": "64KiB", "flash": "512KiB"} | fields))
    assert refused.value.field == f"device {field}"
    assert "\n" not in str(refused.value)


def test_a_users_own_profile_is_loaded_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "gadget.toml"
    path.write_text(
        'ram = "256KiB"\nflash = "2MB"\nclock_hz = 160e6\n[throughput]\nfloat32 = 4e7\n'
        '[toolchain]\ncompiler = ["riscv32-unknown-elf-gcc"]\n'
        '[[sources]]\nfigures = ["throughput"]\nkind = "estimate"\nsays = "four cycles a MAC"\n',
        encoding="utf-8",
    )
    for given in (path, str(path)):
        device = Device.load(given)
        assert device.name == "gadget"
        assert (device.ram, device.flash) == (262_144, 2_000_000)
        assert device.toolchain == Toolchain(("riscv32-unknown-elf-gcc",))
        basis = device.basis("throughput.float32")
        assert basis is not None
        assert (basis.kind, basis.says) == ("estimate", "four cycles a MAC")
        assert device.basis("ram") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('ram = "64KiB"\n', ["flash", "missing"]),
        ('ram = "64KiB"\nflash = 0\nramm = 3\n', ["ramm", "choose one of", "clock_hz"]),
        ('ram = "64 elephants"\nflash = 0\n', ["device ram", "64 elephants"]),
        ("ram = = 3", ["TOML"]),
    ],
)
def test_a_bad_profile_is_refused(tmp_path: Path, text: str, told: list[str]) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput) as refused:
        Device.load(path)
    for words in told:
        assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_device_is_refused_with_the_names() -> None:
    with pytest.raises(InvalidInput, match=r"stm32f999.*nrf52832.*this-machine.*\.toml"):
        Device.load("stm32f999")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("stm32f764", "stm32f746"),
        ("STM32F746", "stm32f746"),
        ("nrf5283", "nrf52832"),
        ("this_machine", "this-machine"),
        ("sensor-node", "sensor-node.toml"),
        ("sensor-nod.toml", "sensor-node.toml"),
        ("boards/gatway.toml", "boards/gateway.toml"),
        ("boards/gateway", "boards/gateway.toml"),
        ("quartz", None),
        ("quartz.toml", None),
        ("nowhere/gateway.toml", None),
    ],
)
def test_a_misspelt_device_is_corrected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, meant: str | None
) -> None:
    (tmp_path / "boards").mkdir()
    for file in ("sensor-node.toml", "boards/gateway.toml", "boards/gateway.txt"):
        (tmp_path / file).write_text('ram = "64KiB"\nflash = 0\n')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput) as refused:
        Device.load(name)
    said = str(refused.value)
    assert said.startswith(f"device is {name}: ")
    assert ("did you mean" in said) == (meant is not None)
    if meant is not None:
        assert f": did you mean {meant}? " in said
        assert Device.load(meant).ram > 0


def test_a_profile_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="readable"):
        Device.load(tmp_path / "absent.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(InvalidInput, match="readable"):
        Device.load(str(tmp_path / "folder.toml"))
    (tmp_path / "latin.toml").write_bytes(b'name = "caf\xe9"')
    with pytest.raises(InvalidInput, match="TOML"):
        Device.load(tmp_path / "latin.toml")
