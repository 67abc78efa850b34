"""The files that Linux has of batteries and temperatures, the machine's own clock, and psutil where it is there."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from selvedge.errors import InvalidInput, NotSupported
from selvedge.learn.energy.by_psutil import PsutilBattery, PsutilThermometer
from selvedge.learn.energy.clock import SystemClock
from selvedge.learn.energy.linux import PowerSupply, ThermalZones
from selvedge.learn.energy.senses import Charge, look


def supply(folder: Path, name: str, **values: object) -> None:
    (folder / name).mkdir(parents=True)
    for key, value in values.items():
        (folder / name / key).write_text(f"{value}\n")


def test_no_battery(tmp_path: Path) -> None:
    assert PowerSupply(tmp_path / "absent").read() is None
    supply(tmp_path, "AC", type="Mains", online=1)
    supply(tmp_path, "hid-mouse", type="Battery", scope="Device", capacity=10, status="Discharging")
    supply(tmp_path, "BAT1", type="Battery", present=0)
    assert PowerSupply(tmp_path).read() is None


def test_a_laptops_battery(tmp_path: Path) -> None:
    """The values of a ThinkPad's BAT0: microwatt-hours."""
    bat = {"type": "Battery", "present": 1, "energy_now": 25_000_000, "energy_full": 50_000_000, "capacity": 49}
    supply(tmp_path, "AC", type="Mains", online=0)
    supply(tmp_path, "BAT0", status="Discharging", **bat)
    assert PowerSupply(str(tmp_path)).read() == Charge(0.5, 90_000.0, False)
    (tmp_path / "AC" / "online").write_text("1\n")  # full, and fed: "Not charging"
    assert PowerSupply(tmp_path).read() == Charge(0.5, 90_000.0, True)
    (tmp_path / "AC" / "online").write_text("0\n")
    (tmp_path / "BAT0" / "status").write_text("Charging\n")
    assert PowerSupply(tmp_path).read() == Charge(0.5, 90_000.0, True)


def test_a_phones_battery(tmp_path: Path) -> None:
    """Microampere-hours, which are joules at a voltage; and one that has only its share."""
    more = {
        "charge_now": 1_000_000,
        "charge_full": 4_000_000,
        "voltage_now": 4_000_000,
        "voltage_min_design": 3_700_000,
    }
    supply(tmp_path, "battery", type="Battery", status="Discharging", **more)
    assert PowerSupply(tmp_path).read() == Charge(0.25, pytest.approx(1.0 * 3600 * 3.7), False)
    for name in ("voltage_now", "voltage_min_design"):
        (tmp_path / "battery" / name).unlink()
    (tmp_path / "battery" / "capacity").write_text("24\n")
    assert PowerSupply(tmp_path).read() == Charge(0.24, None, False)


def test_two_batteries_are_one(tmp_path: Path) -> None:
    supply(tmp_path, "BAT0", type="Battery", status="Full", energy_now=10_000_000, energy_full=10_000_000)
    supply(tmp_path, "BAT1", type="Battery", status="Discharging", energy_now=0, energy_full=30_000_000)
    assert PowerSupply(tmp_path).read() == Charge(0.25, 36_000.0, False)
    supply(tmp_path, "BAT2", type="Battery", status="Discharging", capacity=50)
    assert PowerSupply(tmp_path).read() == Charge(0.5, None, False)  # of unknown size: they count alike


def test_a_battery_that_does_not_say_is_no_full_one(tmp_path: Path) -> None:
    supply(tmp_path, "BAT0", type="Battery", status="Unknown", capacity="?")
    with pytest.raises(InvalidInput, match=r"BAT0: it says neither capacity nor energy_now") as refused:
        PowerSupply(tmp_path).read()
    assert "\n" not in str(refused.value)


def test_the_warmest_zone(tmp_path: Path) -> None:
    assert ThermalZones(tmp_path / "absent").celsius() is None
    supply(tmp_path, "cooling_device0", cur_state=99)
    assert ThermalZones(tmp_path).celsius() is None
    for i, millis in enumerate((41_500, -5000, 47_250, "")):
        supply(tmp_path, f"thermal_zone{i}", temp=millis)
    assert ThermalZones(tmp_path).celsius() == 47.25


def test_this_machine() -> None:
    """Whatever it has: Linux's own files are read without a fault."""
    first = look(SystemClock(), PowerSupply(), ThermalZones())
    time.sleep(0.01)
    second = look(SystemClock(), PowerSupply(), ThermalZones())
    assert first.boot == second.boot
    assert 0.01 <= second.ticks - first.ticks < 60
    assert abs(second.wall - time.time()) < 60


def test_a_start_has_its_own_number(tmp_path: Path) -> None:
    for name, text in (("a", "7c3f\n"), ("b", "7c40\n"), ("c", "7c3f\n")):
        (tmp_path / name).write_text(text)
    a, b, c = (SystemClock(tmp_path / name).boot() for name in "abc")
    assert a == c != b
    assert SystemClock(tmp_path / "absent").boot() != a
    assert 0 <= a < 1 << 64


def test_by_psutil() -> None:
    charge, celsius = PsutilBattery().read(), PsutilThermometer().celsius()
    assert charge is None or 0 <= charge.share <= 1
    assert celsius is None or -50 < celsius < 150


def test_without_psutil() -> None:
    """In a process that cannot import it: one line says what to install, and nothing else needs it."""
    script = (
        "import sys\nsys.modules['psutil'] = None\nfrom selvedge.errors import NotSupported\n"
        "from selvedge.learn.energy import by_psutil, governor, linux\n"
        "for kind in (by_psutil.PsutilBattery, by_psutil.PsutilThermometer):\n"
        "    try: kind()\n    except NotSupported as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["the battery of this machine is not supported: pip install psutil"] * 2
    assert issubclass(NotSupported, ValueError)
