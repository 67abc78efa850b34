"""A plan as a table of at most 100 columns: what it needs, what each program costs, what learns, and why."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..device.figures import Energy
from ..device.sizes import format_bytes
from . import daily
from .limits import unlimited
from .rule import rule

if TYPE_CHECKING:
    from .plan import Plan

WIDTH = 100
NAMED = 20  # arrays listed by name; `to_dict` has them all


def table(plan: Plan) -> str:
    """Text for ``print(plan)``."""
    a = plan.arrangement
    step = plan.cost
    lines = _wrap(f"{plan.name} on {plan.device.name}: {rule(plan.optimizer)}, update {plan.update}", "")
    lines += ["", *(f"{name:<8}{figure:<28}{note}" for name, figure, note in figures(plan)), ""]
    lines += ["".join(f"{cell:{form}}" for cell, form in zip(row, FORMS, strict=True)).rstrip() for row in _known(plan)]
    total = sum(plan.programs.learnt(n).bytes for n in plan.programs.updated)
    whole = sum(s.bytes for s in a.slots.values() if s.kind == "parameter")
    share = 100 * total / whole if whole else 0.0
    lines += ["", f"learns {len(plan.updated)} arrays, {total:,} of {whole:,} B of parameters ({share:.0f} %):"]
    lines += _wrap(_names(plan.updated))
    lines += ["", f"step: {step.macs:,} MACs, {step.bytes_moved:,} B moved, {step.nodes} nodes"]
    lines += ["", "why:"] + [line for c in plan.why for line in _wrap(f"{c.what}: {c.why}")]
    return "\n".join(lines)


FORMS = ("<10", ">8", ">14", ">13", ">13", ">11", ">20")


def _known(plan: Plan) -> list[tuple[str, ...]]:
    """The programs' rows; without their last column where no energy is known."""
    head, *rows = programs(plan)
    if any(row[-1] != "-" for row in rows):
        return [head, *rows]
    return [(*row[:-1], "") for row in (head, *rows)]


def figures(plan: Plan) -> list[tuple[str, str, str]]:
    """(name, figure, note) of RAM, its bound, flash, and what a day's energy affords."""
    memory = plan.arrangement.memory
    code = memory.code // 1024
    return [
        ("RAM", f"{format_bytes(memory.arena)} of {format_bytes(plan.budget.ram)}",
         f"{memory.persistent:,} B that learn + {memory.transient:,} B in passing"),
        ("bound", format_bytes(memory.bound), f"of this order; {format_bytes(memory.any_order)} of any order"),
        ("flash", format_bytes(memory.flash),
         f"{memory.weights:,} B of weights + about {code} KiB of code{unlimited(plan)}"),
        *daily.figures(plan),
    ]  # fmt: skip


def programs(plan: Plan) -> list[tuple[str, ...]]:
    """A head, and a row for each program."""
    rows = [
        (
            p.name,
            str(len(p.kernels)),
            f"{p.macs:,}",
            f"{p.transient_bytes:,}",
            f"{p.bound_bytes:,}",
            "-" if p.seconds is None else engineering(p.seconds, "s"),
            "-" if p.joules is None else _banded(p.joules, plan.device.energy),
        )
        for p in plan.arrangement.largest
    ]
    return [("program", "kernels", "MACs", "transient", "bound", "time", "energy"), *rows]


def _names(updated: Sequence[str]) -> str:
    if len(updated) <= NAMED:
        return ", ".join(updated)
    head, tail = updated[: NAMED // 2], updated[-NAMED // 2 :]
    return f"{', '.join(head)}, {len(updated) - NAMED} more, {', '.join(tail)}"


def _banded(joules: float, energy: Energy | None) -> str:
    """With its error band: "1.2 mJ (0.8-1.8)", in the one unit."""
    if energy is None or not energy.band:
        return engineering(joules, "J")
    factor, prefix = _prefix(joules)
    figure, low, high = (_two(x / factor) for x in (joules, energy.low(joules), energy.high(joules)))
    return f"{figure} {prefix}J ({low}-{high})"


def _two(value: float) -> str:
    """Two digits, and no power of ten: 700 rather than 7e+02."""
    return f"{float(f'{value:.2g}'):g}"


def _wrap(text: str, indent: str = "  ") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent="  ", break_on_hyphens=False)


def engineering(value: float, unit: str) -> str:
    """Three digits and a prefix."""
    factor, prefix = _prefix(value)
    return f"{value / factor:.3g} {prefix}{unit}"


def _prefix(value: float) -> tuple[float, str]:
    steps = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
    return next((step for step in steps if value >= step[0]), steps[-1])
