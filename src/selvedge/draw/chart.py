"""What a picture is, before it is HTML or SVG: shapes in a unit square, and the words around it.

x grows to the right and y upwards, both from 0 to 1. Colours are names of the palette: ``a`` to ``e`` and ``limit``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Line:
    """Points (x, y) with a label and a colour; ``dashed`` tells lines apart where colours do not."""

    label: str
    colour: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle from (left, bottom) to (right, top). ``kind`` and ``data`` say what it stands for, to scripts and
    tests; ``says``: its line when a pointer or a finger is on it; ``shade``: 0, 1 or 2, to tell neighbours apart."""

    left: float
    right: float
    bottom: float
    top: float
    colour: str
    kind: str
    says: str
    shade: int = 0
    data: Mapping[str, str] = field(default_factory=dict)

    @property
    def fine(self) -> bool:
        """Too small for an outline, which would leave nothing of it."""
        return min(self.right - self.left, self.top - self.bottom) < 0.012


@dataclass(frozen=True, slots=True)
class Tick:
    """A label at a place of an axis, 0 to 1."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line through the whole picture."""

    at: float
    colour: str
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A short text on the picture, centred at (x, y)."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Key:
    """A line of the legend; ``shape``: "line", "dashed" or "box"."""

    label: str
    colour: str
    shape: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A whole picture. columns: what the picture says at equal stretches of x; height: of the square, in pixels."""

    title: str
    x_label: str
    y_label: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    legend: Sequence[Key] = ()
    lines: Sequence[Line] = ()
    boxes: Sequence[Box] = ()
    levels: Sequence[Level] = ()
    marks: Sequence[Mark] = ()
    columns: Sequence[str] = ()
    notes: Sequence[str] = ()
    height: int = 240
