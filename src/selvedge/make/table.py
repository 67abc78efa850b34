"""A plan as a table of at most 100 columns: what it needs, what each program costs, what learns, and why."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ..device.figures import Energy
from ..device.sizes import format_bytes

if TYPE_CHECKING:
    from .plan import Plan

WIDTH = 100


def table(plan: Plan) -> str:
    """Text for ``print(plan)``."""
    a, memory = plan.arrangement, plan.arrangement.memory
    step = a.programs["step"]
    lines = [
        *_wrap(f"{plan.name} on {plan.device.name}: {type(plan.optimizer).__name__}, update {plan.update}", ""),
        "",
        _row("RAM", f"{format_bytes(memory.arena)} of {format_bytes(plan.budget.ram)}",
             f"{memory.persistent:,} B that learn + {memory.transient:,} B in passing"),
        _row("bound", format_bytes(memory.bound),
             f"of this order; {format_bytes(memory.any_order)} of any order"),
        _row(
            "flash",
            format_bytes(memory.flash),
            f"{memory.weights:,} B of weights + about {memory.code // 1024} KiB of code",
        ),
        "",
        f"{'program':<10}{'kernels':>8}{'MACs':>14}{'transient':>13}{'bound':>13}{'time':>11}  energy",
    ]  # fmt: skip
    for p in a.programs.values():
        energy = "-" if p.joules is None else _banded(p.joules, plan.device.energy)
        lines.append(
            f"{p.name:<10}{len(p.kernels):>8}{p.macs:>14,}{p.transient_bytes:>13,}{p.bound_bytes:>13,}"
            f"{'-' if p.seconds is None else _engineering(p.seconds, 's'):>11}  {energy}"
        )
    total = sum(a.slots[n].bytes for n in plan.updated)
    whole = sum(s.bytes for s in a.slots.values() if s.kind == "parameter")
    share = 100 * total / whole if whole else 0.0
    lines += ["", f"learns {len(plan.updated)} arrays, {total:,} of {whole:,} B of parameters ({share:.0f} %):"]
    lines += _wrap(", ".join(plan.updated))
    lines += ["", f"step: {step.macs:,} MACs, {step.bytes_moved:,} B moved, {step.nodes} nodes"]
    if a.choices:
        lines += ["", "why:"] + [line for c in a.choices for line in _wrap(f"{c.what}: {c.why}")]
    return "\n".join(lines)


def _banded(joules: float, energy: Energy | None) -> str:
    """With its error band: "1.2 mJ (0.8-1.8)", in the one unit."""
    if energy is None or not energy.band:
        return _engineering(joules, "J")
    factor, prefix = _prefix(joules)
    low, high = (f"{x / factor:.2g}" for x in (energy.low(joules), energy.high(joules)))
    return f"{joules / factor:.2g} {prefix}J ({low}-{high})"


def _row(name: str, figure: str, note: str) -> str:
    return f"{name:<8}{figure:<28}{note}"


def _wrap(text: str, indent: str = "  ") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent="  ", break_on_hyphens=False)


def _engineering(value: float, unit: str) -> str:
    factor, prefix = _prefix(value)
    return f"{value / factor:.3g} {prefix}{unit}"


def _prefix(value: float) -> tuple[float, str]:
    steps = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
    return next((step for step in steps if value >= step[0]), steps[-1])
