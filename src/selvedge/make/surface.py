"""A sweep as a table of at most 100 columns, and as a page of pictures."""

from __future__ import annotations

from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING

from .. import draw
from ..device.sizes import UNITS, format_bytes
from .table import WIDTH, engineering

if TYPE_CHECKING:
    from .sweep import Point, Sweep

HEAD = ("update", "batch", "optimizer", "again", "RAM", "learns", "time/sample", "energy", "")
FORMS = ("<10", ">6", ">21", ">7", ">12", ">9", ">13", ">11", ">6")
WIDEST = 20  # letters of an optimizer in its column; what is longer is numbered, and said above
NORMS = 8  # wide is the column of norms behind that of the optimizer, where there is more than one kind
NARROWER = ("<10", ">6", ">22", ">7", ">11", ">8", ">12", ">10", ">3")
COLOURS = "abcf"


def table(sweep: Sweep) -> str:
    """Text for ``print(sweep)``: the surface, in the order of RAM."""
    above = [title(sweep), *(line for s in _sentences(sweep) for line in wrap(s, WIDTH)), ""]
    forms = (*NARROWER[:3], f">{NORMS}", *NARROWER[3:]) if _several_norms(sweep) else FORMS
    lines = ["".join(f"{cell:{form}}" for cell, form in zip(row, forms, strict=True)).rstrip() for row in rows(sweep)]
    assert all(len(line) <= WIDTH for line in lines)
    return "\n".join([*above, *lines])


def rows(sweep: Sweep) -> list[tuple[str, ...]]:
    """A head, and a row for each point that no other beats by the figures as they are shown: of those that differ in
    digits behind these one is enough."""
    shown = _worth_showing(sweep)
    short = _short(shown)
    table = [HEAD, *(_row(p, short[p.optimizer]) for p in shown)]
    if not _several_norms(sweep):
        return table
    norms = ["norms", *(p.norms for p in shown)]
    return [(*row[:3], kind, *row[3:]) for row, kind in zip(table, norms, strict=True)]


def _short(shown: list[Point]) -> dict[str, str]:
    """What stands in the column of optimizers for each of their names: "SGD (1)" for the first that is too long."""
    found: dict[str, str] = {}
    for p in shown:
        if p.optimizer not in found:
            kind = type(p.rule).__name__
            number = 1 + sum(short.startswith(f"{kind} (") for short in found.values())
            found[p.optimizer] = p.optimizer if len(p.optimizer) <= WIDEST else f"{kind} ({number})"
    return found


def _several_norms(sweep: Sweep) -> bool:
    return len({p.norms for p in sweep.points}) > 1


def _worth_showing(sweep: Sweep) -> list[Point]:
    """The best by their figures as shown; the first of equals."""
    kept: list[Point] = []
    figures = [_figures(p) for p in sweep.best]
    for i, p in enumerate(sweep.best):
        alike = [j for j, q in enumerate(sweep.best) if (q.batch, q.rule) == (p.batch, p.rule) and j != i]
        no_worse = [j for j in alike if all(a <= b for a, b in zip(figures[j], figures[i], strict=True))]
        if not any(figures[j] != figures[i] or j < i for j in no_worse):
            kept.append(p)
    return kept


def _figures(p: Point) -> tuple[float, ...]:
    """RAM, seconds and joules of a sample, what does not learn and whether it does not fit, to the digits that a row
    shows."""
    size, unit = format_bytes(p.arena_bytes).split()
    seconds, joules = (float(f"{(x or 0.0) / p.batch:.3g}") for x in (p.seconds, p.joules))
    return float(size) * UNITS[unit], seconds, joules, -float(f"{100 * p.contribution:.1f}"), not p.fits


def title(sweep: Sweep) -> str:
    """What was swept."""
    worth = len(_worth_showing(sweep))
    return f"{sweep.name} on {sweep.device.name}: {worth} of {len(sweep.points)} plans are worth having"


def _sentences(sweep: Sweep) -> list[str]:
    learns = "of the measured contribution" if sweep.measured else "of the trainable parameters"
    found = [f"learns: the share {learns}; again: kernels run a second time; *: fits {format_bytes(sweep.budget.ram)}"]
    found += [f"{short}: {name}" for name, short in _short(_worth_showing(sweep)).items() if short != name]
    if not sweep.complete:
        found.append(f"stopped after {sweep.seconds:.0f} s: a finer sweep has more points between these")
    return found


def _row(p: Point, optimizer: str) -> tuple[str, ...]:
    update = p.update if len(p.update) < 10 else p.update[:6] + "..."
    return (
        update,
        str(p.batch),
        optimizer,
        str(p.again) if p.again else "-",
        format_bytes(p.arena_bytes),
        f"{p.contribution:.1%}",
        "-" if p.seconds is None else engineering(p.seconds / p.batch, "s"),
        "-" if p.joules is None else engineering(p.joules / p.batch, "J"),
        "*" if p.fits else "",
    )


def page(sweep: Sweep) -> str:
    """A self-contained HTML document: pictures whose points say what they are, and the table."""
    return draw.page(title(sweep), _parts(sweep))


def notebook(sweep: Sweep) -> str:
    """The same for a notebook's cell."""
    return draw.inline([f"<h3>{escape(title(sweep))}</h3>", *_parts(sweep)])


def _parts(sweep: Sweep) -> list[str]:
    head, *lower = rows(sweep)
    return [
        f"<p>{escape('. '.join(s[:1].upper() + s[1:] for s in _sentences(sweep)))}.</p>",
        draw.section("Memory and contribution", _contribution(sweep, svg=False)),
        *_costs(sweep),
        draw.section("Worth having", draw.table(head, lower)),
    ]


def picture(sweep: Sweep) -> str:
    """Memory against contribution as a standalone SVG document."""
    return _contribution(sweep, svg=True)


def _contribution(sweep: Sweep, svg: bool) -> str:
    dots = [_dot(sweep, p, p.contribution) for p in sweep.points]
    words = "share that learns" + (", measured" if sweep.measured else "")
    return draw.scatter(title(sweep), words, dots, _groups(sweep), limit=sweep.budget.ram, percent=True, svg=svg)


def _costs(sweep: Sweep) -> list[str]:
    made = []
    for name, unit, of in (("Time", "s", "seconds"), ("Energy", "J", "joules")):
        dots = [_dot(sweep, p, getattr(p, of) / p.batch) for p in sweep.points if getattr(p, of) is not None]
        if dots:
            words = f"{name.lower()} a sample, {unit}"
            made.append(draw.section(f"Memory and {name.lower()}", draw.scatter(name, words, dots, _groups(sweep),
                                                                                 limit=sweep.budget.ram)))  # fmt: skip
    return made


def _groups(sweep: Sweep) -> list[tuple[str, str]]:
    """(label, colour) of each batch and optimiser, by :func:`_group`; colours come again where there are many."""
    names = list(dict.fromkeys(_group(p) for p in sweep.points))
    return [(name, COLOURS[i % len(COLOURS)]) for i, name in enumerate(names)]


def _group(p: Point) -> str:
    return f"batch {p.batch}, {p.optimizer}"


def _dot(sweep: Sweep, p: Point, y: float) -> draw.Dot:
    costs = [f"{p.arena_bytes:,} B of RAM", f"{p.contribution:.1%} learns"]
    costs += [] if p.seconds is None else [f"{engineering(p.seconds / p.batch, 's')} a sample"]
    costs += [] if p.joules is None else [f"{engineering(p.joules / p.batch, 'J')} a sample"]
    fit = "fits" if p.fits else f"does not fit {format_bytes(sweep.budget.ram)}"
    return draw.Dot(p.arena_bytes, y, _group(p), f"{p.name}: {', '.join(costs)}; {fit}", p.best)
