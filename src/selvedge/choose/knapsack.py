"""The knapsack of tensors, solved exactly: the greatest sum of scores under costs that are only partly additive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

DETERMINISTIC_SECONDS = 5.0  # OR-Tools' own clock, which counts work: the same on every machine


@dataclass(frozen=True, slots=True)
class Item:
    """``score``: a whole number. ``bytes``: what it keeps in RAM. ``saved``: what its gradient reads of the forward
    pass, shared with others that read the same: a key -> bytes. ``fixed``: True to take it, False to leave it."""

    name: str
    score: int
    bytes: int
    saved: Mapping[str, int]
    fixed: bool | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """Where all of ``when`` are taken, the bytes of what is taken may be at most ``bytes``. Less than 0: never."""

    when: frozenset[str]
    bytes: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """Where ``when`` is taken, what is taken and what that saves together may be at most ``bytes``."""

    when: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Solution:
    """``bound``: no set that obeys the rooms has a greater score; equal to ``score`` where it is proven optimal."""

    names: frozenset[str]
    score: int
    bound: int


def solve(
    items: Sequence[Item], rooms: Sequence[Room], estimates: Sequence[Estimate] = (), above: int = -1
) -> Solution | None:
    """The set of the greatest score above ``above``, then of the fewest bytes; None where there is none.

    One thread and a limit in deterministic time: the same answer every time. Method: CP-SAT (Perron and Furnon,
    OR-Tools), the 0-1 knapsack with conditional capacities and shared (precedence) costs.
    """
    from ortools.sat.python import cp_model  # it takes a second to load, and most plans need no solver

    model = cp_model.CpModel()
    taken = {item.name: model.new_bool_var(item.name) for item in items}
    for item in items:
        if item.fixed is not None:
            model.add(taken[item.name] == int(item.fixed))
    model.add_at_least_one(taken.values())
    own = sum(item.bytes * taken[item.name] for item in items)
    most = sum(item.bytes for item in items)
    for room in rooms:
        if room.bytes < 0:
            model.add_bool_or(taken[name].negated() for name in sorted(room.when))
        elif room.bytes < most:
            model.add(own <= room.bytes).only_enforce_if([taken[name] for name in sorted(room.when)])
    if estimates:
        sizes = {key: size for item in items for key, size in item.saved.items()}
        kept = {key: model.new_bool_var(f"saved {key}") for key in sizes}
        for item in items:
            for key in item.saved:
                model.add_implication(taken[item.name], kept[key])
        whole = own + sum(size * kept[key] for key, size in sizes.items())
        for estimate in estimates:
            model.add(whole <= estimate.bytes).only_enforce_if(taken[estimate.when])
    value = sum(item.score * taken[item.name] for item in items)
    model.add(value >= above + 1)
    model.maximize(value * (most + 1) - own)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = DETERMINISTIC_SECONDS
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    names = frozenset(name for name, variable in taken.items() if solver.boolean_value(variable))
    bound = (round(solver.best_objective_bound) + most) // (most + 1)
    return Solution(names, sum(item.score for item in items if item.name in names), bound)
