"""What one update costs: a step, or the micro-batches of it and their application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .plan import Plan


@dataclass(frozen=True, slots=True)
class UpdateCost:
    """Of every call that one update takes, together. seconds, joules: None where the device has no figures."""

    macs: int
    bytes_moved: int
    seconds: float | None
    joules: float | None
    nodes: int
    kernels: int


def update_cost(plan: Plan) -> UpdateCost:
    """``nodes`` and ``kernels`` are counted once, however often a program is called."""
    programs = plan.arrangement.programs
    calls = (
        [(programs["step"], 1)]
        if plan.accumulate == 1
        else [(programs["accumulate"], plan.accumulate), (programs["apply"], 1)]
    )
    times = [None if p.seconds is None else n * p.seconds for p, n in calls]
    joules = [None if p.joules is None else n * p.joules for p, n in calls]
    return UpdateCost(
        sum(n * p.macs for p, n in calls),
        sum(n * p.bytes_moved for p, n in calls),
        _total(times),
        _total(joules),
        sum(p.nodes for p, _ in calls),
        sum(len(p.kernels) for p, _ in calls),
    )


def _total(parts: list[float | None]) -> float | None:
    known = [p for p in parts if p is not None]
    return sum(known) if len(known) == len(parts) else None
