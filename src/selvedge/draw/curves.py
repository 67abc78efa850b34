"""Training curves: lines over any range, thinned to what a screen can show."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from .chart import Chart, Key, Line, Tick
from .fragment import figure
from .standalone import standalone
from .ticks import numbers, percentages, span, ticks, widened

MOST = 1000  # points a line keeps


def curves(
    title: str,
    x_label: str,
    y_label: str,
    series: Sequence[Line],
    *,
    percent: bool = False,
    svg: bool = False,
) -> str:
    """Lines in the units of their axes; the legend gives the last value of each. percent: y is a fraction.

    Points that are not finite are left out. As HTML for a page, or with ``svg`` as a standalone SVG document.
    """
    finite = [[(float(x), float(y)) for x, y in s.points if isfinite(x) and isfinite(y)] for s in series]
    left, right = span([x for points in finite for x, _ in points])
    low, high = widened(*span([y for points in finite for _, y in points]))
    across, up = ticks(left, right, 5), ticks(low, high)
    written = percentages if percent else numbers
    last = [f"{p[-1][1]:.1%}" if percent else f"{p[-1][1]:.4g}" if p else "-" for p in finite]
    chart = Chart(
        title,
        x_label,
        y_label,
        [Tick((x - left) / (right - left), text) for x, text in zip(across, numbers(across), strict=True)],
        [Tick((y - low) / (high - low), text) for y, text in zip(up, written(up), strict=True)],
        [Key(s.label, s.colour, "dashed" if s.dashed else "line", v) for s, v in zip(series, last, strict=True)],
        [
            Line(
                s.label,
                s.colour,
                [((x - left) / (right - left), (y - low) / (high - low)) for x, y in drawn(points)],
                s.dashed,
            )
            for s, points in zip(series, finite, strict=True)
        ],
    )
    return standalone(chart) if svg else figure(chart)


def drawn(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most about ``MOST`` points: of every stretch the lowest and the highest. One point is drawn as a dot."""
    if len(points) == 1:
        return points * 2
    if len(points) <= MOST:
        return points
    stretch = -(-2 * len(points) // MOST)
    kept: list[tuple[float, float]] = []
    for i in range(0, len(points), stretch):
        part = points[i : i + stretch]
        ends = {part.index(min(part, key=lambda p: p[1])), part.index(max(part, key=lambda p: p[1]))}
        kept += [part[j] for j in sorted(ends)]
    return kept
