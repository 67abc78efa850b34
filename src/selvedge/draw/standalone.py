"""A chart as an SVG document of its own: words are SVG too, at a width of 960 pixels."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from html import escape

from .chart import Box, Chart, Key
from .palette import plain

Coordinate = Callable[[float], float]

WIDTH, LINE, LETTER = 960, 18, 7.3  # pixels; a letter of 13 px, on the wide side

FONTS = "text { font: 14px system-ui, sans-serif; } .small { font-size: 13px; } .title { font: 600 18px system-ui; }"


def standalone(chart: Chart) -> str:
    """A whole document; what a box says is its ``<title>``."""
    made, y = keys(chart.legend, 20, 64)
    left = 28 + LETTER * max((len(t.text) for t in chart.y_ticks), default=0)
    top, width, height = y + 34, WIDTH - 30 - left, chart.height * 1.4

    def across(x: float) -> float:
        return left + width * x

    def down(at: float) -> float:
        return top + height * (1 - at)

    made.append(text(20, top - 14, chart.y_label, "f-quiet small"))
    for t in chart.y_ticks:
        made.append(f'<path class="s-rule" d="M{left:.2f} {down(t.at):.2f}H{left + width:.2f}"/>')
        made.append(text(left - 8, down(t.at) + 4, t.text, "f-quiet small", "end"))
    made += [_box(box, across, down) for box in chart.boxes]
    for v in chart.levels:
        dashes = ' stroke-dasharray="6 4"' if v.dashed else ""
        made.append(
            f'<path class="s-{v.colour}" stroke-width="2"{dashes} d="M{left:.2f} {down(v.at):.2f}h{width:.2f}"/>'
        )
    for line in chart.lines:
        points = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in line.points)
        dashes = ' stroke-dasharray="6 4"' if line.dashed else ""
        made.append(f'<polyline class="s-{line.colour}" fill="none" stroke-width="2"{dashes} points="{points}"/>')
    made += [_mark(across(m.x), down(m.y), m.text) for m in chart.marks]
    made += [text(across(t.at), top + height + 18, t.text, "f-quiet small", "middle") for t in chart.x_ticks]
    y = top + height + 38
    made.append(text(across(0.5), y, chart.x_label, "f-quiet small", "middle"))
    for note in chart.notes:
        for words in textwrap.wrap(note, 125):
            y += LINE + 4
            made.append(text(20, y, words, "f-quiet small"))
    return sheet(chart.title, y + 24, made)


def sheet(title: str, height: float, shapes: Sequence[str]) -> str:
    """The document round ``shapes``, titled."""
    style = plain() + FONTS
    heading = text(20, 34, title, "f-ink title")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
        f'viewBox="0 0 {WIDTH} {height:.0f}"><title>{escape(title)}</title><style>{style}</style>'
        f'<rect class="f-ground" width="100%" height="100%"/>{heading}{"".join(shapes)}</svg>\n'
    )


def text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    """A word or a line, its baseline at ``y``."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def keys(legend: Sequence[Key], left: float, y: float) -> tuple[list[str], float]:
    """The legend in as many lines as it needs, and where the last one is."""
    made, x = [], left
    for key in legend:
        words = f"{key.label} {key.value}".strip()
        need = 34 + LETTER * len(words)
        if x > left and x + need > WIDTH - 20:
            x, y = left, y + LINE + 4
        if key.shape.startswith("box"):
            made.append(f'<rect class="f-{key.colour}" x="{x:.1f}" y="{y - 10:.1f}" width="12" height="12"/>')
        else:
            dashes = ' stroke-dasharray="6 4"' if key.shape == "dashed" else ""
            made.append(f'<path class="s-{key.colour}" stroke-width="2"{dashes} d="M{x:.1f} {y - 4:.1f}h18"/>')
        made.append(text(x + 24, y, words, "f-ink small"))
        x += need + 10
    return made, y


def _box(box: Box, across: Coordinate, down: Coordinate) -> str:
    opacity = (1.0, 0.85, 0.7)[box.shade]
    outline = "" if box.fine else ' stroke-width="0.5"'
    data = "".join(f' data-{k}="{escape(v, quote=True)}"' for k, v in box.data.items())
    return (
        f'<rect class="{box.kind} f-{box.colour}{"" if box.fine else " s-ground"}"{outline} fill-opacity="{opacity}" '
        f'x="{across(box.left):.3f}" y="{down(box.top):.3f}" width="{across(box.right) - across(box.left):.3f}" '
        f'height="{down(box.bottom) - down(box.top):.3f}"{data}><title>{escape(box.says)}</title></rect>'
    )


def _mark(x: float, y: float, words: str) -> str:
    return f'<circle class="f-ground" cx="{x:.1f}" cy="{y:.1f}" r="9"/>' + text(
        x, y + 4, words, "f-ink small", "middle"
    )
