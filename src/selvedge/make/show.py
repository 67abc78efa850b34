"""A plan and a session as pictures: what a notebook shows, and the page that ``selvedge plan --plot`` writes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from .. import draw
from .rule import rule
from .table import figures, programs

if TYPE_CHECKING:
    from .plan import Plan


def parts(plan: Plan) -> list[str]:
    """Figures, why, the memory timeline of the step and its costs, as HTML."""
    because = "".join(f"<li><b>{escape(c.what)}</b>: {escape(c.why)}</li>" for c in plan.why)
    known = [c for c in zip(*programs(plan), strict=True) if any(cell != "-" for cell in c[1:])]
    head, *rows = zip(*known, strict=True)
    return [
        draw.tiles([(figure, f"{name}: {note}") for name, figure, note in figures(plan)]),
        draw.section("Programs", draw.table(head, rows)),
        draw.section(
            "Memory of a step", draw.memory(plan.arrangement, plan.arrangement.backward.name, plan.budget.ram)
        ),
        draw.section(
            "Cost of a step", draw.costs(plan.arrangement, plan.arrangement.backward.name, device=plan.device)
        ),
        draw.section("Why", f"<ul>{because}</ul>"),
    ]


def title(plan: Plan) -> str:
    """What the plan is of."""
    return f"{plan.name} on {plan.device.name}"


def subtitle(plan: Plan) -> str:
    """What learns, and how."""
    learns = f"{len(plan.updated)} arrays" if len(plan.updated) != 1 else "1 array"
    return f"{rule(plan.optimizer)}, update {plan.update}: {learns} learn"


def page(plan: Plan) -> str:
    """A self-contained HTML document."""
    return draw.page(title(plan), parts(plan), subtitle=subtitle(plan))


def notebook(plan: Plan) -> str:
    """The same for a notebook's cell."""
    return draw.inline([f"<h3>{escape(title(plan))}</h3><p>{escape(subtitle(plan))}</p>", *parts(plan)])


def picture(plan: Plan) -> str:
    """The memory timeline of the step as a standalone SVG document."""
    return draw.memory(plan.arrangement, plan.arrangement.backward.name, plan.budget.ram, svg=True)


def losses(name: str, points: Sequence[tuple[int, float]]) -> str:
    """A session's losses (step, loss) for a notebook's cell: each, and their mean over a stretch."""
    if not points:
        return draw.inline([f"<p>{escape(name)}: no step yet</p>"])
    every = [(float(step), loss) for step, loss in points]
    lines = [draw.Line("loss", "e" if len(every) >= LEAST else "a", every)]
    if len(every) >= LEAST:
        window = len(every) // 10
        lines.append(draw.Line(f"mean of {window} points", "a", _means(every, window)))
    return draw.inline([draw.curves(f"Loss of {name}", f"steps of {name}", "loss", lines)])


LEAST = 40  # points before a mean is drawn


def _means(points: Sequence[tuple[float, float]], window: int) -> list[tuple[float, float]]:
    """The mean of each point and the ``window`` - 1 before it."""
    total, found = 0.0, []
    for i, (step, loss) in enumerate(points):
        total += loss - (points[i - window][1] if i >= window else 0.0)
        if i >= window - 1:
            found.append((step, total / window))
    return found
