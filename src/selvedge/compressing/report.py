"""The error report: layer by layer, as a table and as a page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from .. import draw
from ..errors import InvalidInput
from .quantised import CULPRIT_DB

WIDTH = 100  # columns of the printed table
_HEAD = ("max error", "mean error", "range", "cut off", "gain, dB")


@dataclass(frozen=True, slots=True)
class Error:
    """How far a column is from float: ``sqnr_db`` = 10 log10(sum x^2 / sum (x - x')^2); ``largest``, ``mean``: |x -
    x'|."""

    sqnr_db: float
    largest: float
    mean: float


@dataclass(frozen=True, slots=True)
class Row:
    """One layer. ``errors``: column -> its error, of the columns that have this layer. ``low``, ``high``: of the float
    activation. ``clipped``: share of it outside the quantised range. ``bits``: of its weight, None without one.
    ``gain_db``: what the output's SQNR wins if this layer alone stays float, measured; None without a weight.
    ``try_``: what may help.
    """

    layer: str
    bits: int | None
    errors: Mapping[str, Error]
    low: float
    high: float
    clipped: float
    gain_db: float | None
    try_: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """``columns``: the first is "fake-quantised". ``output``: of each, at the model's output. ``agreement``: of each,
    the share of samples whose top answer is the float model's; None where there are no classes."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    output: Mapping[str, Error]
    agreement: Mapping[str, float | None]
    samples: int

    @property
    def worst(self) -> Row:
        """The layer that hurts most: that wins most if it alone stays float."""
        ranked = [r for r in self.rows if r.gain_db is not None]
        if not ranked:
            raise InvalidInput("report", "without a quantised layer", "every layer stayed float: nothing hurts")
        return max(ranked, key=lambda r: r.gain_db or 0.0)

    def verdict(self) -> list[str]:
        """What hurts, by how much, and what to try: a line each."""
        if all(r.gain_db is None for r in self.rows):
            return ["every layer is float"]
        worst, column = self.worst, self.columns[0]
        whole = _db(self.output[column].sqnr_db)
        if (worst.gain_db or 0.0) < CULPRIT_DB:
            return [f"no layer hurts alone: the output has {whole} dB, and {_db(worst.gain_db)} more at most"]
        lines = [
            f"{worst.layer} hurts most: the output has {whole} dB, and "
            f"{_db(worst.gain_db)} more if it alone stays float"
        ]
        return lines + [f"try: {text}" for text in worst.try_]

    def __str__(self) -> str:
        others = self.columns[1:]
        name = max([6, *(len(r.layer) for r in self.rows)])
        name = min(name, WIDTH - 66 - 12 * len(others))
        head = f"{'layer':<{name}} bits {'SQNR dB':>8} {'max err':>9} {'mean err':>9} "
        head += f"{'low':>8} {'high':>8} {'cut off':>7} {'gain':>5}"
        lines = [head + "".join(f" {_short(c, 11):>11}" for c in others)]
        for row in self.rows:
            e = row.errors.get(self.columns[0])
            cells = ("-", "-", "-") if e is None else (_db(e.sqnr_db), f"{e.largest:.3g}", f"{e.mean:.3g}")
            rest = "".join(f" {_db(row.errors[c].sqnr_db) if c in row.errors else '-':>11}" for c in others)
            lines.append(
                f"{_short(row.layer, name):<{name}} {row.bits or '-':>4} {cells[0]:>8} {cells[1]:>9} {cells[2]:>9} "
                f"{row.low:>8.3g} {row.high:>8.3g} {row.clipped:>7.2%} {_db(row.gain_db):>5}{rest}"
            )
        lines.append("")
        for column in self.columns:
            agreed = self.agreement.get(column)
            share = "" if agreed is None else f", the same top answer in {agreed:.1%}"
            lines.append(
                f"output, {column}: {_with_unit(self.output[column].sqnr_db)}{share} of {self.samples:,} samples"
            )
        return "\n".join(lines + self.verdict())

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines; None for an infinite SQNR, of what is exact."""
        made: dict[str, Any] = _finite(asdict(self))
        return made

    def picture(self) -> str:
        """SQNR of every layer as a standalone SVG document."""
        return draw.layers(*self._drawn(), svg=True)

    def page(self) -> str:
        """A self-contained HTML document."""
        return draw.page("Quantisation, layer by layer", self._parts())

    def _repr_html_(self) -> str:
        return draw.inline(self._parts())

    def _parts(self) -> list[str]:
        verdict = "".join(f"<li>{escape(line)}</li>" for line in self.verdict())
        head = ("layer", "bits", *(f"{c}, dB" for c in self.columns), *_HEAD)
        rows = []
        for r in self.rows:
            e = r.errors.get(self.columns[0])
            columns = (_db(r.errors[c].sqnr_db) if c in r.errors else "-" for c in self.columns)
            rows.append((
                r.layer, str(r.bits or "-"), *columns,
                "-" if e is None else f"{e.largest:.3g}", "-" if e is None else f"{e.mean:.3g}",
                f"{r.low:.3g} to {r.high:.3g}", f"{r.clipped:.2%}", _db(r.gain_db),
            ))  # fmt: skip
        strong = next((i for i, r in enumerate(self.rows) if r.gain_db is not None and r is self.worst), None)
        tiles = [(f"{_db(self.output[c].sqnr_db)} dB", f"output, {c}") for c in self.columns]
        return [
            draw.tiles(tiles),
            draw.section("What hurts", f"<ul>{verdict}</ul>"),
            draw.section("Signal to quantisation noise", draw.layers(*self._drawn())),
            draw.section("Layers", draw.table(head, rows, strong)),
        ]

    def _drawn(self) -> tuple[str, list[str], list[tuple[str, list[float | None]]]]:
        """(title, layers, (column, dB of each layer)), in order of execution."""
        names = [r.layer for r in self.rows]
        series = [(c, [r.errors[c].sqnr_db if c in r.errors else None for r in self.rows]) for c in self.columns]
        return "SQNR of each layer's output", names, series


def _db(value: float | None) -> str:
    if value is None:
        return "-"
    return "exact" if math.isinf(value) and value > 0 else f"{round(value, 1) + 0.0:.1f}"


def _with_unit(value: float) -> str:
    return _db(value) if math.isinf(value) else f"{_db(value)} dB"


def _finite(given: Any) -> Any:
    if isinstance(given, Mapping):
        return {key: _finite(value) for key, value in given.items()}
    if isinstance(given, list | tuple):
        return [_finite(value) for value in given]
    return None if isinstance(given, float) and not math.isfinite(given) else given


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"…{text[1 - most :]}"
