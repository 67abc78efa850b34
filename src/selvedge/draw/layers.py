"""A figure of every layer, one line a column: what differs between two ways to compute the same network."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from .chart import Box, Chart, Key, Tick
from .fragment import figure
from .standalone import standalone
from .ticks import numbers, span, ticks, widened

COLOURS = "abcf"
LABELS = 12  # layers that are named on the axis; the others when pointed at


def layers(
    title: str, names: Sequence[str], series: Sequence[tuple[str, Sequence[float | None]]], *, svg: bool = False
) -> str:
    """``series``: (column, dB of each layer of ``names``; None where it has none, infinity where nothing differs).

    Bars from the axis up, those of a layer beside each other; a layer that is exact fills the picture. As HTML for a
    page, or with ``svg`` as a standalone SVG document.
    """
    known = [v for _, values in series for v in values if v is not None and isfinite(v)]
    low, high = widened(*span([0.0, *known]))
    up = ticks(low, high)
    wide = 1 / max(1, len(names))
    each = 0.8 * wide / max(1, len(series))

    def above(value: float) -> float:
        return min(1.0, max(0.0, (value - low) / (high - low)))

    boxes = []
    for j, (column, values) in enumerate(series):
        for i, value in enumerate(values):
            if value is None:
                continue
            left = (i + 0.1) * wide + j * each
            bottom, top = sorted((above(0.0), above(value)))
            text = "exact" if value > 0 and not isfinite(value) else f"{value:.1f} dB"
            says = f"{names[i]}, {column}: {text}"
            boxes.append(Box(left, left + each, bottom, top, COLOURS[j % len(COLOURS)], "layer", says, i % 2))
    every = -(-len(names) // LABELS) if names else 1
    chart = Chart(
        title,
        "layers in order of execution",
        "dB",
        [Tick((i + 0.5) * wide, _short(name)) for i, name in enumerate(names) if i % every == 0],
        [Tick(above(v), text) for v, text in zip(up, numbers(up), strict=True)],
        [Key(column, COLOURS[j % len(COLOURS)], "box") for j, (column, _) in enumerate(series)],
        boxes=boxes,
    )
    return standalone(chart) if svg else figure(chart)


def _short(name: str) -> str:
    return name if len(name) <= 9 else f"…{name[-8:]}"
