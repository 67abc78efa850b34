"""A chart as HTML. Only shapes are SVG, stretched to the width at hand; every word is HTML and so keeps its size on a
telephone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from importlib import resources

from .chart import Box, Chart, Key


def figure(chart: Chart) -> str:
    """One ``<figure>``; what its boxes say appears below on hover, tap or arrow keys."""
    title = escape(chart.title, quote=True)
    gutter = max((len(t.text) for t in chart.y_ticks), default=0) + 1.5
    y_axis = "".join(f'<span style="top:{100 * (1 - t.at):.3f}%">{escape(t.text)}</span>' for t in chart.y_ticks)
    x_axis = "".join(
        f'<span{_edge(t.at)} style="left:{100 * t.at:.3f}%">{escape(t.text)}</span>' for t in chart.x_ticks
    )
    marks = "".join(
        f'<b class="sv-mark" style="left:{100 * m.x:.3f}%;top:{100 * (1 - m.y):.3f}%">{escape(m.text)}</b>'
        for m in chart.marks
    )
    columns = f' data-columns="{escape(json.dumps(list(chart.columns)), quote=True)}"' if chart.columns else ""
    says = f'<output class="sv-says" aria-live="polite">{escape(HINT)}</output>{_script()}' if chart.boxes else ""
    notes = "".join(f'<p class="note">{escape(n)}</p>' for n in chart.notes)
    focus = ' tabindex="0"' if chart.boxes else ""
    return (
        f'<figure class="sv-figure">{legend(chart.legend)}<p class="sv-y-label">{escape(chart.y_label)}</p>'
        f'<div class="sv-chart" style="grid-template-columns:{gutter}ch 1fr;--height:{chart.height / 16}rem">'
        f'<div class="sv-y">{y_axis}</div><div class="sv-plot"><svg role="img" aria-label="{title}"{columns}{focus} '
        f'viewBox="0 0 1000 1000" preserveAspectRatio="none">{_shapes(chart)}</svg>{marks}</div>'
        f'<div class="sv-x">{x_axis}</div><p class="sv-x-label">{escape(chart.x_label)}</p></div>{says}{notes}</figure>'
    )


HINT = "Point at a rectangle or a point, tap it, or use the arrow keys."


def legend(keys: Sequence[Key]) -> str:
    """The colours' meaning."""
    made = [
        f'<li><i class="{k.colour} {k.shape}"></i>{escape(k.label)}' + (f" <b>{escape(k.value)}</b>" if k.value else "")
        + "</li>"
        for k in keys
    ]  # fmt: skip
    return f'<ul class="sv-legend">{"".join(made)}</ul>' if made else ""


def _shapes(chart: Chart) -> str:
    grid = "".join(
        f'<line class="grid" x1="0" x2="1000" y1="{_down(t.at)}" y2="{_down(t.at)}"/>' for t in chart.y_ticks
    )
    lines = "".join(
        f'<polyline class="{line.colour}{" dashed" if line.dashed else ""}" points="'
        + " ".join(f"{1000 * x:.1f},{_down(y)}" for x, y in line.points)
        + '"/>'
        for line in chart.lines
        if line.points
    )
    levels = "".join(
        f'<line class="level {v.colour}{" dashed" if v.dashed else ""}" x1="0" x2="1000" y1="{_down(v.at)}" '
        f'y2="{_down(v.at)}"/>'
        for v in chart.levels
    )
    return grid + "".join(map(_box, chart.boxes)) + levels + lines


def _box(box: Box) -> str:
    data = "".join(f' data-{k}="{escape(v, quote=True)}"' for k, v in box.data.items())
    kind = f"{box.kind} {box.colour} shade{box.shade}" + (" fine" if box.fine else "")
    return (
        f'<rect class="{kind}" x="{1000 * box.left:.4f}" y="{_down(box.top)}" '
        f'width="{1000 * (box.right - box.left):.4f}" height="{1000 * (box.top - box.bottom):.4f}"{data}>'
        f"<title>{escape(box.says)}</title></rect>"
    )


def _down(y: float) -> str:
    return f"{1000 * (1 - y):.4f}"


def _edge(at: float) -> str:
    """A label at an end of the axis stays inside."""
    return ' class="first"' if at < 0.04 else ' class="last"' if at > 0.96 else ""


def _script() -> str:
    code = resources.files("selvedge.draw").joinpath("says.js").read_text(encoding="utf-8")
    return f"<script>{code}</script>"
