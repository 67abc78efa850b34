"""What a device knows of itself, behind three seams, and one look at all of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Protocol

from ...errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Charge:
    """Of a battery. share: 0..1 of full. joules: what it holds, None where that is not known. charging: whether more
    flows in than out, or an outlet feeds the device."""

    share: float
    joules: float | None
    charging: bool


class Clock(Protocol):
    """``wall``: Unix seconds, which may jump. ``ticks``: seconds since ``boot``, asleep or awake, which never go back;
    they begin anew with another ``boot``, a number that no other start of the device has."""

    def wall(self) -> float: ...

    def ticks(self) -> float: ...

    def boot(self) -> int: ...


class Battery(Protocol):
    """``read``: how full it is; None where there is none. Raises ``InvalidInput`` where one does not say."""

    def read(self) -> Charge | None: ...


class Thermometer(Protocol):
    """``celsius``: of the warmest place that is measured; None where nothing is."""

    def celsius(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Moment:
    """One look: what the rules see. Raises ``InvalidInput`` for a number that is not finite."""

    wall: float
    ticks: float
    boot: int = 0
    charge: Charge | None = None
    celsius: float | None = None

    def __post_init__(self) -> None:
        share = None if self.charge is None else self.charge.share
        joules = None if self.charge is None else self.charge.joules
        for name, value in (("wall", self.wall), ("ticks", self.ticks), ("celsius", self.celsius), ("share", share)):
            if value is not None and not isfinite(value):
                raise InvalidInput(f"moment {name}", value, "give a finite number")
        if self.ticks < 0 or not 0 <= (share or 0) <= 1 or not 0 <= (joules or 0) < 1e12:
            told = f"ticks {self.ticks}, share {share}, joules {joules}"
            raise InvalidInput("moment", told, "give seconds since the start, 0..1 and joules, none below 0")


def look(clock: Clock, battery: Battery | None = None, thermometer: Thermometer | None = None) -> Moment:
    """Now."""
    charge = None if battery is None else battery.read()
    celsius = None if thermometer is None else thermometer.celsius()
    return Moment(clock.wall(), clock.ticks(), clock.boot(), charge, celsius)
