"""The knapsack of tensors, solved exactly: the greatest sum of scores under costs that are only partly additive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

DETERMINISTIC_SECONDS = 5.0  # OR-Tools' own clock, which counts work: the same on every machine


@dataclass(frozen=True, slots=True)
class Item:
    """``score``: a whole number. ``bytes``: what it keeps in RAM. ``saved``: what its gradient reads of the forward
    pass, shared with others that read the same: a key -> bytes. ``fixed``: True to take it, False to leave it.

    ``of``: the tensor that it is or is a part of, by default its own name: of one tensor at most one is taken.
    ``channels``: of a part; 0 for a whole. ``copied``: bytes at most that what is saved for a part takes beside what is
    there anyway.
    """

    name: str
    score: int
    bytes: int
    saved: Mapping[str, int]
    fixed: bool | None = None
    of: str = ""
    channels: int = 0
    copied: int = 0

    @property
    def tensor(self) -> str:
        return self.of or self.name


@dataclass(frozen=True, slots=True)
class Room:
    """Where all of ``when`` are taken, the bytes of what is taken may be at most ``bytes``. Less than 0: never. more:
    or where larger parts of the same tensors are taken, or the wholes."""

    when: frozenset[str]
    bytes: int
    more: bool = False


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
    tensors: dict[str, list[Item]] = {}
    for item in items:
        tensors.setdefault(item.tensor, []).append(item)
    least: dict[str, cp_model.IntVar] = {}  # is it taken, or more of its tensor?
    for sizes in tensors.values():
        model.add_at_most_one(taken[item.name] for item in sizes)
        for item in sizes:
            larger = [i for i in sizes if item.channels and (not i.channels or i.channels > item.channels)]
            least[item.name] = model.new_bool_var(f"at least {item.name}") if larger else taken[item.name]
            if larger:
                model.add(least[item.name] == taken[item.name] + sum(taken[i.name] for i in larger))
    own = sum(item.bytes * taken[item.name] for item in items)
    most = sum(item.bytes for item in items)
    for room in rooms:
        when = [(least if room.more else taken)[name] for name in sorted(room.when)]
        if room.bytes < 0:
            model.add_bool_or(literal.negated() for literal in when)
        elif room.bytes < most:
            model.add(own <= room.bytes).only_enforce_if(when)
    if estimates:
        bytes_of = {key: size for item in items for key, size in item.saved.items()}
        kept = {key: model.new_bool_var(f"saved {key}") for key in bytes_of}
        for item in items:
            for key in item.saved:
                model.add_implication(taken[item.name], kept[key])
        whole = own + sum(size * kept[key] for key, size in bytes_of.items())
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
