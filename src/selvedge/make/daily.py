"""A day's energy: how many training steps and predictions a battery, a solar cell or a number of joules affords."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..artifact.number import finite
from ..device.power import Battery, Runs, Solar, runs
from ..errors import InvalidInput
from ..planning.schedule import Arrangement

if TYPE_CHECKING:
    from .plan import Plan


@dataclass(frozen=True, slots=True)
class Daily:
    """``joules`` a day, spent on ``steps`` alone or on ``predictions`` alone: calls of the program, a batch each."""

    joules: float
    steps: Runs
    predictions: Runs

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        return asdict(self)


def steps_per_day(plan: Plan, source: Battery | Solar | float) -> Daily:
    """How many steps, or predictions, of ``plan`` a day of ``source`` (or so many joules) affords.

    Joules a day over joules a call, but never more calls than a day has time for; ``low`` and ``high`` follow from the
    error band of the device's energy figures. Raises ``InvalidInput`` where the device has none.
    """
    if not isinstance(getattr(plan, "arrangement", None), Arrangement):
        raise InvalidInput("plan", f"of type {type(plan).__name__}", "give what selvedge.plan(...) returned")
    joules = source.joules_a_day if isinstance(source, Battery | Solar) else finite(source)
    if joules is None:
        raise InvalidInput("source", source, "give an sv.Battery, an sv.Solar or joules")
    if not 0 < joules < float("inf"):
        raise InvalidInput("source", source, "give joules a day > 0")
    energy = plan.device.energy
    step, predict = plan.cost, plan.arrangement.programs["predict"]
    if energy is None or step.joules is None or predict.joules is None:
        fix = "it has no figures to predict energy: give its profile throughput, bandwidth and energy"
        raise InvalidInput("device", plan.device.name, fix)
    return Daily(
        joules,
        runs(joules, step.joules, step.seconds, energy.band),
        runs(joules, predict.joules, predict.seconds, energy.band),
    )


def a_day(plan: Plan) -> Daily | None:
    """Of the plan's own source, or its budget's joules a day; None where there is neither."""
    return None if plan.budget.energy_day_j is None else steps_per_day(plan, plan.budget.energy_day_j)


def figures(plan: Plan) -> list[tuple[str, str, str]]:
    """(name, figure, note) of a day's energy and what it affords; nothing where no day is limited."""
    daily = a_day(plan)
    if daily is None:
        return []
    source = "as the budget says" if plan.power is None else str(plan.power)
    rows = [("energy", f"{daily.joules:.3g} J a day", source)]
    for name, n in (("steps", daily.steps), ("predict", daily.predictions)):
        band = f"{count(n.low)} to {count(n.high)} within the error of the energy" if n.low < n.high else ""
        rows.append((name, f"{count(n.likely)} a day", band or "as many as a day has time for"))
    return rows


def count(n: float) -> str:
    """Three digits, whole from 100 on."""
    return f"{n:.3g}" if n < 100 else f"{float(f'{n:.3g}'):,.0f}"
