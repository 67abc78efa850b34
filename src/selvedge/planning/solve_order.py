"""The order of lowest peak by constraint programming: a place for every kernel, a stretch of places for every value,
and in any place no more bytes than the peak."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from .search import Ordered, peak_of
from .tally import Steps

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, IntVar

LIMIT = 1.0  # of the solver's deterministic time: some seconds
MOST = 40  # groups of kernels: beyond, the solver's bound does not move


def solve_order(steps: Steps, found: Ordered, limit: float = LIMIT, seed: int = 0) -> Ordered:
    """``found`` made better, or its floor raised by the solver's dual; unchanged where there are more than ``MOST``
    groups of kernels. The same for the same arguments, on any machine.

    A value is live from its maker's place to its last reader's; where that reader writes over it, to the place before.
    Retention intervals under one capacity, as in Jain et al., "Checkmate", MLSys 2020, section 4, without their time
    steps.
    """
    groups = contracted(steps)
    if found.peak <= found.floor or len(groups) > MOST:
        return found
    from ortools.sat.python import cp_model  # half a second, and most plans need no solver

    model = cp_model.CpModel()
    live, count = steps.live, len(steps.ids)
    at = [model.new_int_var(0, count - 1, f"at{k}") for k in range(count)]
    model.add_no_overlap(
        [model.new_fixed_size_interval_var(at[g[0]], len(g), f"group{n}") for n, g in enumerate(groups)]
    )
    for group in groups:
        for one, next_ in pairwise(group):
            model.add(at[next_] == at[one] + 1)
    for k, sources in enumerate(steps.before):
        for s in sources:
            model.add(at[s] < at[k])

    over = _in_place(model, steps, at)
    peak = model.new_int_var(found.floor, found.peak, "peak")
    position = {k: n for n, k in enumerate(steps.ids)}
    intervals, demands = [], []
    for k, kernel in enumerate(steps.lowered.kernels):
        if kernel.scratch is not None:
            intervals.append(model.new_fixed_size_interval_var(at[k], 1, f"scratch{k}"))
            demands.append(live.size[kernel.scratch])
    for i, size in live.size.items():
        if i not in live.inputs and i not in live.maker:
            continue
        end = model.new_int_var(0, count, f"end{i}")
        start = 0 if i in live.inputs else at[position[live.maker[i]]]
        if i in live.pinned:
            model.add(end == count)
        for k in steps.readers[i]:
            model.add(end >= at[k] + 1 - over.get((k, i), 0))
        if i not in live.inputs:
            model.add(end >= start + 1)
        intervals.append(model.new_interval_var(start, model.new_int_var(0, count, f"long{i}"), end, f"live{i}"))
        demands.append(size)
    model.add_cumulative(intervals, demands, peak)
    model.minimize(peak)
    for n, identity in enumerate(found.order):
        model.add_hint(at[position[identity]], n)
    model.add_hint(peak, found.peak)

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.interleave_search = False
    solver.parameters.random_seed = seed
    solver.parameters.max_deterministic_time = limit
    status = solver.solve(model)
    floor = found.floor
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        floor = max(floor, round(solver.best_objective_bound))
        order = tuple(steps.ids[k] for k in sorted(range(count), key=lambda k: solver.value(at[k])))
        reached = peak_of(steps, order)
        if reached < found.peak:
            return Ordered(order, reached, min(floor, reached))
    return Ordered(found.order, found.peak, min(floor, found.peak))


def _in_place(model: CpModel, steps: Steps, at: Sequence[IntVar]) -> dict[tuple[int, int], IntVar]:
    """(kernel, operand) -> 1 where the kernel writes over the operand: it is the last to read it, and each result and
    each operand is used at most once."""
    live = steps.live
    over: dict[tuple[int, int], IntVar] = {}
    for k, kernel in enumerate(steps.lowered.kernels):
        by_write: dict[int, list[IntVar]] = {}
        by_read: dict[int, list[IntVar]] = {}
        for w, r in dict.fromkeys((kernel.writes[w], kernel.reads[r]) for w, r in kernel.inplace):
            if w not in live.size or r not in live.size or live.size[w] != live.size[r] or r in live.pinned:
                continue
            shared = model.new_bool_var(f"over{k}.{w}.{r}")
            for other in steps.readers[r]:
                if other != k:
                    model.add(at[other] < at[k]).only_enforce_if(shared)
            by_write.setdefault(w, []).append(shared)
            by_read.setdefault(r, []).append(shared)
        for some in by_write.values():
            model.add_at_most_one(some)
        for r, some in by_read.items():
            over[k, r] = once = model.new_bool_var(f"over{k}.{r}")
            model.add(sum(some) == once)
    return over


def contracted(steps: Steps) -> list[list[int]]:
    """Kernels in groups that some best order runs without a break: one joins the group of what it waits for if it can
    follow at once, ends with no more live bytes than it found, and needs no more meanwhile than it found.

    Whatever runs between them could run after both. Counted on what dies for certain: values nobody else reads.
    """
    group: list[list[int]] = []
    of: dict[int, int] = {}
    above: list[int] = [0] * len(steps.ids)  # what must have run, in bits
    for k in _topological(steps):
        for s in steps.before[k]:
            above[k] |= above[s] | 1 << s
        joined = None
        if _harmless(steps, k):
            for s in steps.before[k]:
                last = group[of[s]][-1]
                if not above[k] & ~(above[last] | 1 << last):
                    joined = of[s]
                    break
        if joined is None:
            group.append([])
            joined = len(group) - 1
        group[joined].append(k)
        of[k] = joined
    return group


def _harmless(steps: Steps, kernel: int) -> bool:
    """Does ``kernel`` need, while it runs and after it, no more than what it is the only one to read?"""
    k, live = steps.lowered.kernels[kernel], steps.live
    own = tuple(r for r in steps.reads[kernel] if r not in live.pinned and len(steps.readers[r]) == 1)
    during, after = steps.rate(kernel, own)
    return after <= 0 and during <= 0 and k.scratch is None


def _topological(steps: Steps) -> list[int]:
    waiting = [len(b) for b in steps.before]
    ready = [k for k, n in enumerate(waiting) if not n]
    order = []
    while ready:
        k = ready.pop()
        order.append(k)
        for f in steps.behind[k]:
            waiting[f] -= 1
            if not waiting[f]:
                ready.append(f)
    return order
