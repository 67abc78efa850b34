"""Whether a plan keeps its budget: bytes, seconds and joules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..device.sizes import format_bytes
from ..errors import InvalidInput

if TYPE_CHECKING:
    from .inference import Inference
    from .plan import Plan


def excess(plan: Plan | Inference) -> tuple[str, int, int] | None:
    """(resource, need, have) of the first limit in bytes that ``plan`` breaks."""
    memory, budget = plan.arrangement.memory, plan.budget
    if memory.arena > budget.ram:
        return "RAM", memory.arena, budget.ram
    if budget.flash is not None and memory.flash > budget.flash:
        return "flash", memory.flash, budget.flash
    return None


def overdrawn(plan: Plan | Inference) -> InvalidInput | None:
    """The refusal of a step that takes longer or draws more than the budget allows, or whose cost nobody can say."""
    step, budget = plan.cost, plan.budget
    limits = (
        ("latency", budget.latency_s, step.seconds, "s"),
        ("energy", budget.energy_j, step.joules, "J"),
        ("energy-day", budget.energy_day_j, step.joules, "J"),
    )
    for name, most, cost, unit in limits:
        if most is None:
            continue
        if cost is None:
            figures = "throughput and bandwidth" if unit == "s" else "throughput, bandwidth and energy"
            fix = f"{plan.device.name} has no figures to predict it: give its profile {figures}, or leave it out"
        elif cost > most:
            fix = f"{_call(plan)} needs {cost:.3g} {unit} on {plan.device.name}: allow that{_less(plan)}"
        else:
            continue
        return InvalidInput(f"budget {name}", f"{most:g} {unit}", fix)
    return None


def _learns(plan: Plan | Inference) -> bool:
    return set(plan.arrangement.programs) != {"predict"}


def _call(plan: Plan | Inference) -> str:
    return "a step" if _learns(plan) else "a prediction"


def _less(plan: Plan | Inference) -> str:
    return ", or update less" if _learns(plan) else ""


def fits(plan: Plan) -> bool:
    """Whether ``plan`` keeps every limit of its budget."""
    return excess(plan) is None and overdrawn(plan) is None


def reserved(plan: Plan) -> str:
    """What the device keeps of its RAM beside the plan's, in one sentence."""
    kept = plan.device.reserved_ram
    if kept:
        return f"{format_bytes(kept)} are kept for stack and runtime"
    return "nothing is kept for stack and runtime: set reserved_ram"


def unlimited(plan: Plan) -> str:
    """A remark where nothing bounds the flash, "" where something does."""
    return "; of flash there is no limit" if plan.budget.flash is None else ""
