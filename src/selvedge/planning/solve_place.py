"""Offsets by constraint programming: boxes of (time, bytes) that do not overlap, below the lowest top there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd

from .place import Buffer, aligned, overlays

LIMIT = 0.1  # of the solver's deterministic time: a second or two, presolving apart
MOST = 160  # buffers: beyond, presolving alone takes many seconds


@dataclass(frozen=True, slots=True)
class Placement:
    """Instance -> byte offset; the ``top`` of the bytes used; a ``bound`` that no offsets of these alignments are
    below, by a relaxation, a whole search, or the solver's dual. ``proven``: none use less."""

    offsets: dict[int, int]
    top: int
    bound: int

    @property
    def proven(self) -> bool:
        return self.bound >= self.top


def solve_place(
    found: Sequence[Buffer],
    align: int,
    item: int,
    offsets: Mapping[int, int],
    bound: int,
    limit: float = LIMIT,
    seed: int = 0,
) -> Placement:
    """The best offsets within ``limit`` of deterministic time, never worse than ``offsets``, where the solver starts;
    ``bound``: what no offsets can be below, as :func:`place` takes it. The same for the same arguments, on any machine.

    Boxes that do not overlap: Beldiceanu and Carlsson, "Sweep as a generic pruning technique applied to the
    non-overlapping rectangles constraint", CP 2001, as CP-SAT (OR-Tools) has it. The box of a buffer that another may
    lie over ends a moment early; at that moment it is kept apart from each buffer that starts then by a choice.
    """
    top = max((offsets[b.instances[0]] + b.bytes for b in found), default=0)
    if top <= bound or len(found) > MOST:
        return Placement(dict(offsets), top, min(bound, top))
    from ortools.sat.python import cp_model  # half a second, and most plans need no solver

    model = cp_model.CpModel()
    # In units of an item: every offset is a whole number of them, so that a size rounded up loses nothing.
    highest = model.new_int_var(-(-bound // item), -(-top // item), "top")
    times, boxes, starts = [], [], []
    over = overlays(found)
    under = {j for _, j in over}
    for n, (b, step) in enumerate(zip(found, aligned(found, align, item), strict=True)):
        size, units = -(-b.bytes // item), step // item
        at = model.new_int_var(0, max(0, -(-top // item) - size) // units, f"at{n}")
        model.add(units * at + size <= highest)
        model.add_hint(at, offsets[b.instances[0]] // step)
        starts.append((at, step))
        moments = b.stop + (n not in under) - b.start
        if moments > 0:
            times.append(model.new_fixed_size_interval_var(b.start, moments, f"t{n}"))
            boxes.append(model.new_fixed_size_interval_var(units * at, size, f"y{n}"))
    model.add_no_overlap_2d(times, boxes)
    bottoms = [step // item * at for at, step in starts]
    for j in under:
        last, low = found[j].stop, bottoms[j]
        for i, b in enumerate(found):
            # What was there before the last moment is kept apart by the boxes, unless there is no box.
            if i == j or not b.start <= last <= b.stop or b.start < last > found[j].start:
                continue
            before = model.new_bool_var(f"{i} before {j}")
            model.add(bottoms[i] + -(-over.get((i, j), b.bytes) // item) <= low).only_enforce_if(before)
            model.add(low + -(-found[j].bytes // item) <= bottoms[i]).only_enforce_if(before.negated())
    model.minimize(highest)
    model.add_hint(highest, -(-top // item))

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.interleave_search = False
    solver.parameters.random_seed = seed
    solver.parameters.max_deterministic_time = limit
    status = solver.solve(model)
    least = bound
    if status != cp_model.UNKNOWN:  # in items, rounded up: the bytes can be fewer by less than one
        least = max(bound, whole(found, item, round(solver.best_objective_bound) * item - (item - 1)))
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        made = {i: step * solver.value(at) for b, (at, step) in zip(found, starts, strict=True) for i in b.instances}
        reached = max(made[b.instances[0]] + b.bytes for b in found)
        if reached < top:
            return Placement(made, reached, min(least, reached))
    return Placement(dict(offsets), top, min(least, top))


def whole(found: Sequence[Buffer], item: int, bound: int) -> int:
    """``bound`` rounded up to what a top can be: offsets are whole items, so tops share the sizes' common divisor."""
    grain = gcd(item, *(b.bytes for b in found))
    return -(-bound // grain) * grain
