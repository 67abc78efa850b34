"""What a device lives on: a battery that must last, or a solar cell; and so the joules that learning has a day.

Battery: its charge falls by a constant share a unit of time of what is left (first-order self-discharge, as data sheets
state it: per cent a month), and by the draw p: dE/dt = -k E - p. The even draw that empties it after a life T follows
from E(T) = 0: p = k E0 / (exp(k T) - 1), which is E0 / T without self-discharge.

Solar: area x insolation x the cell's efficiency x the performance ratio, the share of the cell's energy that arrives
behind converter, temperature and storage (IEC 61724-1, performance ratio).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import expm1, log1p
from types import MappingProxyType

from selvedge.artifact.number import finite
from selvedge.errors import InvalidInput

DAY = 86_400.0  # seconds
MONTH = 365.25 / 12  # days
KWH = 3.6e6  # joules
_NUMBER = r"([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)\s*"
_CHARGE = re.compile(_NUMBER + r"(mAh|Ah)\s*@\s*" + _NUMBER + r"V")
_ENERGY = re.compile(_NUMBER + r"(mWh|Wh|kJ|J)")
_TIME = re.compile(_NUMBER + r"(h|d|w|y)")
_AREA = re.compile(_NUMBER + r"(mm2|cm2|m2)")
_JOULES = MappingProxyType({"mWh": 3.6, "Wh": 3600.0, "kJ": 1000.0, "J": 1.0})
_DAYS = MappingProxyType({"h": 1 / 24, "d": 1.0, "w": 7.0, "y": 365.25})
_METRES = MappingProxyType({"mm2": 1e-6, "cm2": 1e-4, "m2": 1.0})


@dataclass(frozen=True, slots=True)
class Battery:
    """``joules``: what it holds when full and can give down to its cut-off. ``life_days``: how long it must last
    without being charged. ``self_discharge``: the share of what is left that it loses a month by itself (0.02: 2 %).
    ``share``: of what is drawn, the part that is for learning."""

    joules: float
    life_days: float
    self_discharge: float = 0.02
    share: float = 1.0

    def __post_init__(self) -> None:
        _within("battery", self, joules=None, life_days=None, share=1.0)
        loss = _number("battery self_discharge", self.self_discharge)
        if not 0 <= loss < 1:
            raise InvalidInput("battery self_discharge", self.self_discharge, "give a share a month, as 0.02")

    @classmethod
    def parse(cls, text: str, life: str = "365d") -> Battery:
        """Read "1000mAh@3.7V", "3.7Wh" or "13kJ", then "self_discharge=0.02" and "share=0.5" behind commas.

        life: "365d", "52w", "1y" or "24h". Raises :class:`InvalidInput`.
        """
        first, given = _parts("battery", text, ("self_discharge", "share"))
        charge, energy = _CHARGE.fullmatch(first), _ENERGY.fullmatch(first)
        if charge is not None:
            joules = float(charge[1]) * (3.6 if charge[2] == "mAh" else 3600.0) * float(charge[3])
        elif energy is not None:
            joules = float(energy[1]) * _JOULES[energy[2]]
        else:
            raise InvalidInput("battery", first or "empty", "write it as 1000mAh@3.7V or 3.7Wh")
        time = _TIME.fullmatch(_text("life", life).strip())
        if time is None:
            raise InvalidInput("life", life or "empty", "write it as 365d, 52w, 1y or 24h")
        return cls(joules, float(time[1]) * _DAYS[time[2]], **given)

    @property
    def joules_a_day(self) -> float:
        """For learning."""
        rate = -log1p(-self.self_discharge) / MONTH
        loss = expm1(rate * self.life_days) if rate * self.life_days < 700 else float("inf")
        return self.share * (rate * self.joules / loss if loss else self.joules / self.life_days)

    def __str__(self) -> str:
        part = f", {self.share:.0%} of it for learning" if self.share < 1 else ""
        return f"battery of {self.joules / 3600:.3g} Wh for {self.life_days:.4g} days{part}"


@dataclass(frozen=True, slots=True)
class Solar:
    """``area_m2`` of cells. ``insolation_kwh``: kWh that reach a square metre a day; 3 is about the mean of a year in
    Central Europe, outdoors. ``efficiency``: of the cells (0.2: crystalline silicon). ``performance``: what of their
    energy arrives. ``share``: of that, the part that is for learning."""

    area_m2: float
    insolation_kwh: float = 3.0
    efficiency: float = 0.2
    performance: float = 0.75
    share: float = 1.0

    def __post_init__(self) -> None:
        _within("solar", self, area_m2=None, insolation_kwh=None, efficiency=1.0, performance=1.0, share=1.0)

    @classmethod
    def parse(cls, text: str) -> Solar:
        """Read "20cm2", then "insolation=3" (kWh a square metre and day), "efficiency=0.2", "performance=0.75" and
        "share=0.5" behind commas. Raises :class:`InvalidInput`."""
        first, given = _parts("solar", text, ("insolation", "efficiency", "performance", "share"))
        area = _AREA.fullmatch(first)
        if area is None:
            raise InvalidInput("solar", first or "empty", "write it as 20cm2 or 0.01m2")
        if "insolation" in given:
            given["insolation_kwh"] = given.pop("insolation")
        return cls(float(area[1]) * _METRES[area[2]], **given)

    @property
    def joules_a_day(self) -> float:
        """For learning."""
        return self.area_m2 * self.insolation_kwh * KWH * self.efficiency * self.performance * self.share

    def __str__(self) -> str:
        part = f", {self.share:.0%} of it for learning" if self.share < 1 else ""
        return f"{self.area_m2 * 1e4:.4g} cm2 of solar cells at {self.insolation_kwh:g} kWh a m2 and day{part}"


@dataclass(frozen=True, slots=True)
class Runs:
    """How often something can run: ``likely``, and from ``low`` to ``high`` within the error band of its energy. 0.5 is
    every second day."""

    low: float
    likely: float
    high: float


def runs(joules_a_day: float, joules: float, seconds: float | None, band: float) -> Runs:
    """How often a day ``joules`` can be drawn out of ``joules_a_day``: at most as often as ``seconds`` allow.

    ``band``: as of :class:`Energy`.
    """
    most = DAY / seconds if seconds else float("inf")
    each = [joules_a_day / (joules * factor) if joules else most for factor in (1 + band, 1.0, 1 / (1 + band))]
    low, likely, high = (min(most, n) for n in each)
    return Runs(low, likely, high)


def _parts(field: str, text: str, known: tuple[str, ...]) -> tuple[str, dict[str, float]]:
    first, *rest = (part.strip() for part in _text(field, text).split(","))
    given: dict[str, float] = {}
    for part in rest:
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if key not in known or not equals or key in given:
            raise InvalidInput(field, part or "empty", f"behind the first comma give each once of {', '.join(known)}")
        try:
            given[key] = float(value)
        except ValueError:
            raise InvalidInput(f"{field} {key}", value or "empty", "give a number") from None
    return first, given


def _text(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidInput(field, f"of type {type(value).__name__}", "give text")
    return value


def _within(owner: str, value: object, **most: float | None) -> None:
    """Each field is a number above 0 and at most its limit."""
    bounds: Mapping[str, float | None] = most
    for name, bound in bounds.items():
        number = _number(f"{owner} {name}", getattr(value, name))
        if not (number > 0 and (bound is None or number <= bound)):
            fix = "give a number > 0" + ("" if bound is None else f" and <= {bound:g}")
            raise InvalidInput(f"{owner} {name}", getattr(value, name), fix)


def _number(field: str, value: object) -> float:
    number = finite(value)
    if number is None:
        raise InvalidInput(field, value, "give a finite number")
    return number
