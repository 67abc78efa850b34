"""Pictures for the page, as HTML: a line chart, bars, and pixels. No script, nothing to load.

Only shapes are SVG, stretched to the width at hand; every word is HTML and so keeps its size on a telephone. Colours
are classes of the page's style sheet: ``a`` to ``e``.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import floor

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Line:
    """Points (x, y) with a label and a colour class; ``dashed`` tells lines apart where colours do not."""

    label: str
    colour: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a bar."""

    label: str
    colour: str
    size: int


def lines(title: str, x_label: str, series: Sequence[Line]) -> str:
    """Fractions against counts, gridded every 10 %; the legend gives the last value of every line."""
    every = [y for line in series for _, y in line.points]
    low, high = floor(min(every) * 10) / 10, 1.0
    right = max(x for line in series for x, _ in line.points)

    def across(x: float) -> float:
        return 100 * x / right

    def down(y: float) -> float:
        return 100 * (high - y) / (high - low)

    ticks = [low + 0.1 * i for i in range(round((high - low) / 0.1) + 1)]
    grid = "".join(f'<line class="grid" x1="0" x2="100" y1="{down(t):.2f}" y2="{down(t):.2f}"/>' for t in ticks)
    paths = "".join(
        f'<polyline class="{line.colour}{" dashed" if line.dashed else ""}" points="'
        + " ".join(f"{across(x):.2f},{down(y):.2f}" for x, y in line.points)
        + '"/>'
        for line in series
    )
    y_axis = "".join(f'<span style="top:{down(t):.2f}%">{t:.0%}</span>' for t in ticks)
    x_axis = "".join(f'<span style="left:{25 * i}%">{right * i / 4:.0f}</span>' for i in range(5))
    legend = "".join(
        f'<li><i class="{line.colour}{" dashed" if line.dashed else ""}"></i>{escape(line.label)}'
        f" <b>{line.points[-1][1]:.1%}</b></li>"
        for line in series
    )
    return (
        f'<ul class="legend">{legend}</ul><div class="chart"><div class="y">{y_axis}</div>'
        f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 100 100" preserveAspectRatio="none">{grid}{paths}'
        f'</svg><div class="x">{x_axis}</div><p class="x-label">{escape(x_label)}</p></div>'
    )


def bars(rows: Sequence[tuple[str, Sequence[Part]]], limit: tuple[str, int]) -> str:
    """Sizes in bytes on one scale; ``limit`` is a line through all of them."""
    most = max(limit[1], *(sum(p.size for p in parts) for _, parts in rows))
    made = []
    for label, parts in rows:
        stretches = "".join(
            f'<span class="{p.colour}" style="width:{100 * p.size / most:.3f}%"'
            f' title="{escape(p.label)}: {p.size:,} B"></span>'
            for p in parts
        )
        mark = f'<span class="limit" style="left:{100 * limit[1] / most:.3f}%"></span>'
        made.append(f'<dt>{escape(label)} {_sizes(parts)}</dt><dd><div class="bar">{stretches}{mark}</div></dd>')
    return f'<dl class="bars">{"".join(made)}</dl><p class="note"><i class="limit"></i> {escape(limit[0])}</p>'


def _sizes(parts: Sequence[Part]) -> str:
    """The bytes of a bar, with a key to its colours where there are several."""
    if len(parts) == 1:
        return f"<b>{parts[0].size:,} B</b>"
    return " ".join(
        f'<span class="key"><i class="{p.colour}"></i>{escape(p.label)} <b>{p.size:,} B</b></span>' for p in parts
    )


def pixels(picture: npt.NDArray[np.uint8], title: str) -> str:
    """A grey picture uint8 [H,W] as an inline PNG."""
    code = base64.b64encode(_png(picture)).decode()
    return f'<img class="pixels" alt="{escape(title)}" src="data:image/png;base64,{code}">'


def _png(picture: npt.NDArray[np.uint8]) -> bytes:
    """An 8-bit greyscale PNG (ISO/IEC 15948): every row with filter 0."""
    height, width = picture.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = np.pad(picture, ((0, 0), (1, 0))).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
