"""Rows of bars, several measures beside each other: as HTML that folds on a telephone, and as a standalone SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from .chart import Key
from .fragment import legend
from .standalone import LINE, WIDTH, keys, sheet, text


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure as a text, and the stretches of its bar: (colour, size)."""

    text: str
    parts: Sequence[tuple[str, float]]

    @property
    def size(self) -> float:
        return sum(size for _, size in self.parts)


@dataclass(frozen=True, slots=True)
class Bars:
    """Rows of one cell for each of ``measures``, on a scale per measure.

    total: a row that fills its bars. rest: what the rows leave out, on the scale of the total.
    """

    title: str
    measures: Sequence[str]
    total: tuple[str, Sequence[Cell]]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    rest: tuple[str, Sequence[Cell]] | None
    legend: Sequence[Key]
    notes: Sequence[str] = ()

    def scaled(self) -> Iterator[tuple[str, Sequence[Cell], Sequence[float], str]]:
        """(label, cells, the sizes that fill their bars, "total" or "") from the top."""
        whole = [cell.size or 1.0 for cell in self.total[1]]
        most = [max((cells[i].size for _, cells in self.rows), default=0.0) or 1.0 for i in range(len(whole))]
        yield *self.total, whole, "total"
        for label, cells in self.rows:
            yield label, cells, most, ""
        if self.rest is not None:
            yield *self.rest, whole, "total"


def figure(bars: Bars) -> str:
    """One ``<figure>``."""
    head = "".join(f"<span>{escape(m)}</span>" for m in bars.measures)
    rows = "".join(_row(*row) for row in bars.scaled())
    notes = "".join(f'<p class="note">{escape(n)}</p>' for n in bars.notes)
    return (
        f'<figure class="sv-figure" role="img" aria-label="{escape(bars.title, quote=True)}">{legend(bars.legend)}'
        f'<div class="sv-bars" style="--measures:{len(bars.measures)}"><div class="head"><span class="label"></span>'
        f"{head}</div>{rows}</div>{notes}</figure>"
    )


def _row(label: str, cells: Sequence[Cell], scales: Sequence[float], kind: str) -> str:
    made = "".join(
        f'<span class="cell"><b>{escape(cell.text)}</b><span class="bar">'
        + "".join(f'<i class="{c}" style="width:{100 * s / scale:.3f}%"></i>' for c, s in cell.parts if s)
        + "</span></span>"
        for cell, scale in zip(cells, scales, strict=True)
    )
    return f'<div class="row {kind}"><span class="label">{escape(label)}</span>{made}</div>'


def standalone(bars: Bars) -> str:
    """An SVG document."""
    left, gap = 300, 24
    width = (WIDTH - 40 - left) / len(bars.measures)
    made, y = keys(bars.legend, 20, 64)
    y += 14
    made += [text(left + 20 + i * width, y, m, "f-quiet") for i, m in enumerate(bars.measures)]
    for n, (label, cells, scales, kind) in enumerate(bars.scaled()):
        y += 44 if n == 1 or (n and kind) else 30
        made.append(text(20, y, _short(label), "f-ink"))
        for i, (cell, scale) in enumerate(zip(cells, scales, strict=True)):
            at = left + 20 + i * width
            room = width - gap
            made.append(text(at, y - 5, cell.text, "f-ink small"))
            for colour, size in cell.parts:
                made.append(
                    f'<rect class="f-{colour}" x="{at:.2f}" y="{y}" width="{room * size / scale:.2f}" height="6"/>'
                )
                at += room * size / scale
    for note in bars.notes:
        y += LINE + 12
        made.append(text(20, y, note, "f-quiet small"))
    return sheet(bars.title, y + 24, made)


def _short(label: str) -> str:
    return label if len(label) <= 40 else f"…{label[-39:]}"
