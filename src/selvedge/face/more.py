"""What would let more of a model learn on the same device, where not all of it does: seen by planning it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..capture.optimizer import Optimizer
from ..device.sizes import format_bytes
from ..errors import DoesNotFit
from ..make.plan import Plan
from .job import Job, Terms, learns, planned
from .optimizer import spelt
from .progress import Work


def more(job: Job, terms: Terms, plan: Plan, work: Work) -> str | None:
    """The options with which most more learns at the plan's own batch, and what that would be; None where nothing does
    or nothing was open."""
    if terms.update != "auto" or plan.update == "full":
        return None
    best, told = plan, None
    for words, other in _ways(terms, plan):
        try:
            made = planned(job, replace(other, batch=plan.batch), work)
        except DoesNotFit:
            continue
        if learns(made) > learns(best):
            best, told = made, words
    if told is None:
        return None
    return f"{told} would let more learn here: {best.update} in {format_bytes(best.arena_bytes)}, not {plan.update}"


def _ways(terms: Terms, plan: Plan) -> list[tuple[str, Terms]]:
    """One option after the other, then both."""
    ways: list[tuple[str, Terms]] = []
    folded = replace(terms, norms="folded")
    own: Any = terms.optimizer_of(plan.batch)  # replace() asks for a dataclass, which every optimiser is
    light: Optimizer | None = replace(own, state_dtype="int8") if own.slots else None
    if terms.norms == "frozen" and plan.captured.batch_norms:
        ways.append(("--norms folded", folded))
    if light is not None and own.state_dtype is None:
        ways.append((f"--optimizer {spelt(light)}", replace(terms, optimizer=light)))
    if len(ways) == 2 and light is not None:
        ways.append((f"--norms folded --optimizer {spelt(light)}", replace(folded, optimizer=light)))
    return ways
