"""A number that remembers how it was made, so that a person can check it with a pocket calculator.

``Figure`` carries its value and its text together through + - x /: what is printed is what was computed. Numbers are
printed in seven digits, in plain base units, without prefixes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite

SUM, PRODUCT, ATOM = range(3)  # how tightly the text binds


@dataclass(frozen=True, slots=True)
class Figure:
    """``value`` in base units; ``text``: the arithmetic that makes it, numbers substituted; ``binds``: of the text."""

    value: float
    text: str
    binds: int = ATOM

    def __add__(self, other: Figure) -> Figure:
        return Figure(self.value + other.value, f"{self.text} + {other.text}", SUM)

    def __sub__(self, other: Figure) -> Figure:
        return Figure(self.value - other.value, f"{self.text} - {other._within(PRODUCT)}", SUM)

    def __mul__(self, other: Figure) -> Figure:
        return Figure(_times(self.value, other.value), f"{self._within(PRODUCT)} x {other._within(PRODUCT)}", PRODUCT)

    def __truediv__(self, other: Figure) -> Figure:
        """Nothing over anything is nothing; anything over nothing is infinite: no bytes cross an absent link at once,
        and some never do."""
        value = 0.0 if not self.value else _over(self.value, other.value)
        return Figure(value, f"{self._within(PRODUCT)} / {other._within(ATOM)}", PRODUCT)

    def _within(self, binds: int) -> str:
        return self.text if self.binds >= binds else f"({self.text})"


def given(value: float, unit: str = "") -> Figure:
    """A number as it was given; ``unit``: "B", "s", "J/B", "" for a count or a share."""
    return Figure(float(value), f"{number(value)} {unit}".rstrip())


def total(*parts: Figure) -> Figure:
    """Their sum; what is nothing is left out of the text."""
    some = [part for part in parts if part.value]
    if not some:
        return given(0)
    made = some[0]
    for part in some[1:]:
        made = made + part
    return made


def number(value: float) -> str:
    """Seven digits, commas by thousands, a power of ten only below 1e-4 and from 1e15 on: 1,234,567 or 3.5e-06."""
    if not isfinite(value):
        return "infinite"
    if value and not 1e-4 <= abs(value) < 1e15:
        return f"{value:.7g}"
    if value == int(value):
        return f"{int(value):,}"
    digits = max(0, 7 - len(f"{int(abs(value))}".lstrip("0")))
    whole = f"{value:,.{digits + (_leading(value) if abs(value) < 1 else 0)}f}"
    return whole.rstrip("0").rstrip(".") if "." in whole else whole


def _leading(value: float) -> int:
    """Zeros behind the point of a number below 1."""
    return next((i for i in range(5) if abs(value) * 10 ** (i + 1) >= 1), 5)


def _times(a: float, b: float) -> float:
    return 0.0 if not a or not b else a * b


def _over(a: float, b: float) -> float:
    if not b:
        return inf
    return 0.0 if b == inf else a / b


@dataclass(frozen=True, slots=True)
class Sum:
    """One line of the arithmetic: ``name`` = ``text`` = ``value`` ``unit``."""

    name: str
    text: str
    value: float
    unit: str

    @classmethod
    def of(cls, name: str, figure: Figure, unit: str) -> Sum:
        return cls(name, figure.text, figure.value, unit)

    @property
    def figure(self) -> Figure:
        """Its result, to go on with."""
        return given(self.value, self.unit)

    def __str__(self) -> str:
        result = f"{number(self.value)} {self.unit}".rstrip()
        return (
            f"{self.name} = {result}"
            if self.text in (result, number(self.value))
            else f"{self.name} = {self.text} = {result}"
        )
