"""Battery and temperature as Linux's files have them (Documentation/ABI/testing/sysfs-class-power and -thermal)."""

from __future__ import annotations

from pathlib import Path

from ...errors import InvalidInput
from .senses import Charge


class PowerSupply:
    """The batteries below ``folder`` as one; those of a mouse or keyboard (scope "Device") do not count."""

    def __init__(self, folder: Path | str = "/sys/class/power_supply") -> None:
        self.folder = Path(folder)

    def read(self) -> Charge | None:
        """Raises ``InvalidInput`` where a battery gives neither its charge nor its share."""
        fed = False
        shares, joules, flows = [], [], []
        for supply in sorted(self.folder.glob("*")) if self.folder.is_dir() else ():
            kind = _text(supply / "type")
            if kind in ("Mains", "USB", "Wireless"):
                fed = fed or _text(supply / "online") in ("1", "2")
            if kind != "Battery" or _text(supply / "scope") == "Device" or _text(supply / "present") == "0":
                continue
            now, full = _joules(supply, "now"), _joules(supply, "full")
            capacity = _number(supply / "capacity")
            if now is not None and full:
                shares.append((min(1.0, now / full), full))
            elif capacity is not None:
                shares.append((min(1.0, max(0.0, capacity / 100)), 1.0))
            else:
                raise InvalidInput(
                    "battery", str(supply), "it says neither capacity nor energy_now: give another folder"
                )
            joules.append(now)
            flows.append(_text(supply / "status"))
        if not shares:
            return None
        # Weighed by size where that is known of all of them.
        weights = [full for _, full in shares] if all(now is not None for now in joules) else [1.0] * len(shares)
        share = sum(s * w for (s, _), w in zip(shares, weights, strict=True)) / sum(weights)
        known = [now for now in joules if now is not None]
        return Charge(share, sum(known) if len(known) == len(joules) else None, fed or "Charging" in flows)


class ThermalZones:
    """The warmest thermal zone below ``folder``; zones that cannot be read now (asleep) do not count."""

    def __init__(self, folder: Path | str = "/sys/class/thermal") -> None:
        self.folder = Path(folder)

    def celsius(self) -> float | None:
        found = [_number(zone / "temp") for zone in self.folder.glob("thermal_zone*")]
        known = [millis / 1000 for millis in found if millis is not None]
        return max(known, default=None)


def _joules(supply: Path, when: str) -> float | None:
    """Of ``energy_now`` (uWh), or ``charge_now`` (uAh) at the voltage of design or of now (uV)."""
    energy = _number(supply / f"energy_{when}")
    if energy is not None:
        return energy * 3.6e-3
    charge = _number(supply / f"charge_{when}")
    volts = _number(supply / "voltage_min_design") or _number(supply / "voltage_now")
    return None if charge is None or volts is None else charge * volts * 3.6e-9


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _number(file: Path) -> float | None:
    text = _text(file)
    return float(text) if text.lstrip("-").isdigit() else None
