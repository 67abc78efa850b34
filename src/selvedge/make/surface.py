"""A sweep as a table of at most 100 columns, and as a page of pictures."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from .. import draw
from ..device.sizes import format_bytes
from .table import WIDTH, engineering

if TYPE_CHECKING:
    from .sweep import Point, Sweep

HEAD = ("update", "batch", "optimizer", "again", "RAM", "learns", "time/sample", "energy", "")
FORMS = ("<10", ">6", ">21", ">7", ">12", ">9", ">13", ">11", ">6")
COLOURS = "abcf"


def table(sweep: Sweep) -> str:
    """Text for ``print(sweep)``: the surface, in the order of RAM."""
    lines = [title(sweep), *_sentences(sweep), ""]
    lines += ["".join(f"{cell:{form}}" for cell, form in zip(row, FORMS, strict=True)).rstrip() for row in rows(sweep)]
    assert all(len(line) <= WIDTH for line in lines[3:])
    return "\n".join(lines)


def rows(sweep: Sweep) -> list[tuple[str, ...]]:
    """A head, and a row for each point that no other beats; those that read the same are one."""
    return [HEAD, *dict.fromkeys(_row(p) for p in sweep.best)]


def title(sweep: Sweep) -> str:
    """What was swept."""
    return f"{sweep.name} on {sweep.device.name}: {len(sweep.best)} of {len(sweep.points)} plans are worth having"


def _sentences(sweep: Sweep) -> list[str]:
    learns = "of the measured contribution" if sweep.measured else "of the trainable parameters"
    found = [f"learns: the share {learns}; again: kernels run a second time; *: fits {format_bytes(sweep.budget.ram)}"]
    if not sweep.complete:
        found.append(f"stopped after {sweep.seconds:.0f} s: a finer sweep has more points between these")
    return found


def _row(p: Point) -> tuple[str, ...]:
    update = p.update if len(p.update) < 10 else p.update[:6] + "..."
    return (
        update,
        str(p.batch),
        p.optimizer,
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
