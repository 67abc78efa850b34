"""The rule: scenario x costs -> which way, why, and what binds. A pure function of frozen values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any

from ..errors import InvalidInput
from . import ways
from .costs import Costs
from .limits import Limit
from .scenario import PREFER, Scenario
from .way import CLOUD, EDGE, SPLIT, Way

TIED = 9  # digits: what differs behind them is a tie
LEAVES_LEAST = (EDGE, SPLIT, CLOUD)
INVERTIBLE = "features can be inverted into the sample (Mahendran and Vedaldi, CVPR 2015): sending them is not privacy"


@dataclass(frozen=True, slots=True)
class Advice:
    """``best``: the way that keeps every limit and costs least by ``scenario.wants.prefer``; where none does, the one
    that is nearest to it (``best.feasible`` is False, ``best.binds`` says what stands in the way). ``edge``, ``cloud``,
    ``split``: the best of each kind, ``split`` None where there are no cuts. ``splits``: one for each cut, in the
    model's order; ``learnings``: the edge with each place to learn."""

    scenario: Scenario
    costs: Costs
    best: Way
    edge: Way
    cloud: Way
    split: Way | None
    splits: tuple[Way, ...] = field(repr=False)
    learnings: tuple[Way, ...] = field(repr=False)

    @property
    def ways(self) -> tuple[Way, ...]:
        """The best of each kind."""
        return tuple(way for way in (self.edge, self.cloud, self.split) if way is not None)

    @property
    def feasible(self) -> bool:
        return self.best.feasible

    @property
    def verdict(self) -> str:
        """One line."""
        from .tell import verdict  # what is said needs what is found

        return verdict(self)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the figures rest on, a line each."""
        return tuple(_notes(self))

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines; what is infinite or unknown is None."""
        return {
            "scenario": self.scenario.name,
            "model": self.costs.model,
            "device": self.costs.device,
            "fleet": self.scenario.fleet,
            "verdict": self.verdict,
            "feasible": self.feasible,
            "best": self.best.to_dict(),
            "ways": [way.to_dict() for way in self.ways],
            "splits": [way.to_dict() | {"crosses_bytes": self._crosses(way)} for way in self.splits],
            "learnings": [way.to_dict() for way in self.learnings],
            "notes": list(self.notes),
            "assumptions": [
                {"field": name, "value": value, "source": source} for name, value, source in self.scenario.assumed()
            ],
        }

    def _crosses(self, way: Way) -> int | None:
        return None if way.cut is None else way.cut.crossing_bytes(self.scenario.split_dtype)

    def __str__(self) -> str:
        from .tell import text

        return text(self)


def advise(scenario: Scenario, costs: Costs) -> Advice:
    """Edge, cloud, or split - with the arithmetic.

    A way is feasible if it keeps every hard limit. Of the feasible ones that with the least money a day wins, then
    joules a day, then latency, then bytes over the link (``scenario.wants.prefer`` goes first; joules count only where
    they are known of all), and then the one from which least leaves: edge, split, cloud. Where none is feasible, the
    one that lacks fewest things which are forbidden or absent, and then whose worst limit is exceeded least.

    Raises ``InvalidInput`` for an energy limit where a figure of energy is missing.
    """
    for name, value, kind in (("scenario", scenario, Scenario), ("costs", costs, Costs)):
        if not isinstance(value, kind):
            raise InvalidInput(name, f"of type {type(value).__name__}", f"give an sv.{kind.__name__}")
    _require_energy(scenario, costs)
    learnings, splits = tuple(ways.edge(scenario, costs)), tuple(ways.split(scenario, costs))
    cloud = ways.cloud(scenario, costs)
    edge = _best(learnings, scenario)
    split = _best(splits, scenario) if splits else None
    best = _best([way for way in (edge, split, cloud) if way is not None], scenario)
    return Advice(scenario, costs, best, edge, cloud, split, splits, learnings)


def _best(found: Iterable[Way], scenario: Scenario) -> Way:
    """The first of the least."""
    among = list(found)
    joules = all(way.joules_per_day is not None for way in among)
    return min(among, key=lambda way: _rank(way, scenario.wants.prefer, joules))


def _rank(way: Way, prefer: str, joules: bool) -> tuple[float, ...]:
    criteria = {
        "money": way.money_per_day,
        "energy": way.joules_per_day if joules and way.joules_per_day is not None else 0.0,
        "latency": way.latency_s,
        "bytes": way.bytes_per_day,
    }
    order = (prefer, *(name for name in PREFER if name != prefer))
    costs = tuple(float(f"{criteria[name]:.{TIED}g}") for name in order)
    return (*_far(way.broken), *costs, float(LEAVES_LEAST.index(way.kind)), float(len(way.leaves)))


def _far(broken: tuple[Limit, ...]) -> tuple[float, float]:
    """(permissions and things that are not there at all, how far beyond the worst of the others is)."""
    never = sum(limit.used == inf for limit in broken)
    return float(never), max((limit.used for limit in broken if limit.used < inf), default=0.0)


def _require_energy(scenario: Scenario, costs: Costs) -> None:
    if scenario.wants.joules_per_day is None:
        return
    steps = (costs.step,) if costs.step is not None and scenario.learning.times_per_day else ()
    unknown = any(run.joules is None for run in (costs.run, *costs.cuts, *steps))
    if unknown and scenario.board.active_w is None:
        fix = f"{costs.device} has no figures of energy: give board.active_w, the watts while it computes"
        raise InvalidInput("wants.joules_per_day", f"{scenario.wants.joules_per_day:g}", fix)
    if scenario.link.energy is None:
        fix = "the radio's energy is not known: give link.radio, or link.up_j_per_byte and its like"
        raise InvalidInput("wants.joules_per_day", f"{scenario.wants.joules_per_day:g}", fix)


def _notes(advice: Advice) -> Iterator[str]:
    scenario, costs = advice.scenario, advice.costs
    if advice.split is not None:
        yield INVERTIBLE
    if advice.split is not None and scenario.split_dtype == "int8":
        yield "features are sent in int8: what that costs in accuracy is not known here (selvedge quantise measures it)"
    energy = scenario.link.energy
    if energy is not None and energy.source != "given":
        read = "" if energy.checked else "; transcribed, not read again: look before you rely on it"
        yield f"radio: {energy.source}{read}"
    if scenario.learning.times_per_day and costs.step is None:
        taken = f"a step in the cloud is taken as {ways.STEP_PASSES} predictions a sample ({ways.PASSES_SOURCE})"
        yield f"it cannot train on the device: {costs.why_no_step}; {taken}"
    most = scenario.wants.joules_per_day
    for way in advice.ways:
        if most is None or way.joules_per_day is None or not costs.energy_band or scenario.board.active_w is not None:
            continue
        high = way.joules_per_day + (way.compute_j_per_day or 0.0) * costs.energy_band
        if way.joules_per_day <= most < high:
            yield f"{way.name}: energy holds as predicted, not at the high end of its error ({high:.3g} J a day)"
