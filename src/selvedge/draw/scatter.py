"""Points over bytes, each of which says what it is; those on the surface are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .chart import Box, Chart, Key, Line, Tick
from .fragment import figure
from .standalone import standalone
from .ticks import byte_ticks, in_unit, numbers, percentages, span, ticks, widened

WIDE, HIGH = 0.016, 0.034  # of a point, in shares of the picture
EDGE = 0.03  # of room at the sides, so that every point is whole


@dataclass(frozen=True, slots=True)
class Dot:
    """``x``: bytes. ``group``: which of the groups it is of. ``says``: its line when pointed at. ``best``: on the
    surface."""

    x: int
    y: float
    group: str
    says: str
    best: bool


def scatter(
    title: str,
    y_label: str,
    dots: Sequence[Dot],
    groups: Sequence[tuple[str, str]],
    *,
    limit: int | None = None,
    percent: bool = False,
    svg: bool = False,
    x_label: str = "RAM",
) -> str:
    """``groups``: (label, colour). ``limit``: bytes, a line where it is within the picture. percent: y is a fraction.
    ``x_label``: what the bytes are of.

    As HTML for a page, or with ``svg`` as a standalone SVG document.
    """
    most = max((d.x for d in dots), default=1)
    near = limit is not None and limit <= most
    low, high = (0.0, 1.0) if percent else widened(*span([d.y for d in dots]))
    low = min(low, 0.0) if percent or low < high / 2 else low
    across, unit = byte_ticks(0, most)
    up = ticks(low, high)
    colours = dict(groups)

    def right(x: float) -> float:
        return EDGE + (1 - 2 * EDGE) * x / most

    def above(y: float) -> float:
        return EDGE + (1 - 2 * EDGE) * (y - low) / (high - low)

    # What is worth having lies on top.
    boxes = [_box(d, right(d.x), above(d.y), colours[d.group]) for d in sorted(dots, key=lambda d: d.best)]
    edges = [(label, [(right(d.x), above(d.y)) for d in dots if d.group == label and d.best]) for label, _ in groups]
    lines = [Line(label, colours[label], sorted(points)) for label, points in edges]
    keys = [Key(label, colour, "box") for label, colour in groups]
    if limit is not None:
        keys.append(Key("budget", "limit", "line", f"{limit:,} B" + ("" if near else ", beyond the picture")))
        if near:
            lines.append(Line("budget", "limit", [(right(limit), 0.0), (right(limit), 1.0)]))
    written = percentages if percent else numbers
    chart = Chart(
        title,
        f"{x_label}, {unit}",
        y_label,
        [Tick(right(x), in_unit(x, unit)) for x in across],
        [Tick(above(y), text) for y, text in zip(up, written(up), strict=True)],
        keys,
        lines,
        boxes,
        height=340,
    )
    return standalone(chart) if svg else figure(chart)


def _box(d: Dot, x: float, y: float, colour: str) -> Box:
    size = 1.0 if d.best else 0.6
    left, low = x - size * WIDE / 2, y - size * HIGH / 2
    kind = "point best" if d.best else "point"
    return Box(left, left + size * WIDE, low, low + size * HIGH, colour, kind, d.says, 0 if d.best else 2)
