"""A budget: what a plan may use. RAM always; flash, time and energy a step, energy a day where they are limited."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

from selvedge.artifact.number import finite
from selvedge.device.device import Device
from selvedge.device.sizes import format_bytes, parse_bytes
from selvedge.errors import InvalidInput

# Key in the text -> the field, and the base unit of its value.
KEYS = MappingProxyType(
    {
        "ram": ("ram", ""),
        "flash": ("flash", ""),
        "latency": ("latency_s", "s"),
        "energy": ("energy_j", "J"),
        "energy-day": ("energy_day_j", "J"),
    }
)
PREFIXES = MappingProxyType({"": 1.0, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "n": 1e-9})
LEAST_BARE = 1024  # bytes that may be written without a unit: of fewer, KiB was meant almost surely
_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)\s*([munµ]?)([sJ]?)")


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes of RAM and flash ("48KiB" is read as such), seconds and joules a step, joules a day (a step may
    draw no more than that, and a plan says how many steps it affords). None is no limit."""

    ram: int
    flash: int | None = None
    latency_s: float | None = None
    energy_j: float | None = None
    energy_day_j: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, str) and field.name in ("ram", "flash"):
                value = _bytes(field.name, value)
                object.__setattr__(self, field.name, value)
            if value is None and field.name != "ram":
                continue
            number = finite(value)
            whole = field.name not in ("ram", "flash") or isinstance(value, int)
            if number is None or not whole or number <= 0:
                kind = "a whole number of bytes" if field.name in ("ram", "flash") else "a finite number"
                raise InvalidInput(f"budget {field.name}", value, f"give {kind} > 0")

    @classmethod
    def of(cls, device: Device) -> Budget:
        """What the device leaves to a plan: its RAM without what stack and runtime keep, and its flash without boot
        loader, system, replay and update slot."""
        return cls(device.ram - device.reserved_ram, device.flash - device.flash_split.reserved or None)

    @classmethod
    def parse(cls, text: str, within: Budget | None = None) -> Budget:
        """Read "ram=64KiB,flash=512KiB,latency=20ms,energy=1.5mJ,energy-day=120J"; what is not named comes from
        ``within``.

        Raises :class:`InvalidInput` for an unknown, repeated or badly written limit, for no RAM at all, and
        for a limit above that of ``within``; also for less than 1024 bytes without a unit.
        """
        if not isinstance(text, str):
            raise InvalidInput("budget", f"of type {type(text).__name__}", 'write it as "ram=48KiB"')
        limits: dict[str, int | float] = {}
        for part in text.split(","):
            key, given, value = (piece.strip() for piece in part.partition("="))
            if key not in KEYS or not given:
                fix = f"write {', '.join(KEYS)} as ram=64KiB,flash=512KiB"
                raise InvalidInput("budget", part.strip() or "empty", fix)
            field, unit = KEYS[key]
            if field in limits:
                raise InvalidInput("budget", part.strip(), f"give {key} once")
            limits[field] = _bytes(key, value) if not unit else _amount(key, value, unit)
            most = None if within is None else getattr(within, field)
            if most is not None and limits[field] > most:
                bound = format_bytes(most) if not unit else f"{most:g} {unit}"
                raise InvalidInput(f"budget {key}", value, f"the device leaves {bound}: ask for at most that")
        if within is not None:
            return replace(within, **limits)  # type: ignore[arg-type]
        if "ram" not in limits:
            raise InvalidInput("budget", text, "name the RAM, as ram=64KiB")
        return cls(**limits)  # type: ignore[arg-type]

    def __str__(self) -> str:
        parts = [f"{format_bytes(self.ram)} RAM"]
        if self.flash is not None:
            parts.append(f"{format_bytes(self.flash)} flash")
        if self.latency_s is not None:
            parts.append(f"{self.latency_s:g} s a step")
        if self.energy_j is not None:
            parts.append(f"{self.energy_j:g} J a step")
        if self.energy_day_j is not None:
            parts.append(f"{self.energy_day_j:g} J a day")
        return ", ".join(parts)


def _bytes(key: str, text: str) -> int:
    """Bytes of "64KiB", "4096", "96B"; "96" is refused."""
    size = parse_bytes(text, f"budget {key}")
    if 0 < size < LEAST_BARE and text.strip()[-1:].isdigit():
        raise InvalidInput(f"budget {key}", text, f"write the unit, as {text.strip()}KiB, or {text.strip()}B for bytes")
    return size


def _amount(key: str, text: str, unit: str) -> float:
    """Seconds or joules of "20ms", "0.02", "1.5 mJ"."""
    match = _AMOUNT.fullmatch(text)
    if match is None or match[3] not in (unit, "") or (match[2] and not match[3]):
        raise InvalidInput(f"budget {key}", text, f"write a number with its unit, as 20m{unit} or 0.02{unit}")
    amount = float(match[1]) * PREFIXES[match[2]]
    if not 0 < amount < math.inf:
        raise InvalidInput(f"budget {key}", text, "give a finite number > 0")
    return amount
