"""An order of the kernels whose live bytes never exceed a target: depth first, with the moves that cannot hurt taken
at once.

A ready kernel that ends with no more live bytes than it began with, and stays below the target meanwhile, can only
help the rest: taking it now leaves every later step with at most as many bytes. The search branches on the others, and
never twice from one set of kernels that have run. So where it ends without an order, there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .greedy import greedy
from .kernel import Lowered
from .tally import Steps, Tally

LIMIT = 400  # branches a target, while the peak is brought down
PROOF = 150_000  # kernels taken, while it is proven: about a second


def lowest_peak(lowered: Lowered, floor: int) -> tuple[int, ...]:
    """Kernel ids in the order of the lowest peak found; ``floor``: a bound that no order can beat."""
    return descend(Steps.of(lowered), floor)[1]


def descend(steps: Steps, floor: int) -> tuple[int, tuple[int, ...]]:
    """(peak, kernel ids): from the best greedy order, tries ``floor`` itself, then halves the interval between what
    failed and what was found."""
    peak, best = greedy(steps.lowered, steps)
    low, target = floor, floor
    while peak > floor and target < peak:
        found = explore(steps, target, LIMIT).order
        if found is None:
            low = target
        else:
            best, peak = found, min(peak, target)
        target = (low + peak) // 2
        if peak - low <= max(64, peak // 500):
            break
    return peak_of(steps, best), best


def peak_of(steps: Steps, order: Sequence[int]) -> int:
    """Live bytes at the worst kernel of ``order`` (ids)."""
    tally, at = Tally(steps), {k: i for i, k in enumerate(steps.ids)}
    for k in order:
        tally.take(at[k])
    return tally.peak


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order of kernel ids, its peak in live bytes, and a ``floor`` that no order is below: where it is the peak, the
    order is optimal."""

    order: tuple[int, ...]
    peak: int
    floor: int


def prove(steps: Steps, found: Ordered, work: int = PROOF) -> Ordered:
    """``found`` made better, or its floor raised, by whole searches below its peak: a search that ends without an order
    shows that none exists. ``work``: kernels taken before it gives up."""
    while found.peak > found.floor and work > 0:
        tried = explore(steps, found.peak - 1, limit=None, work=work)
        work -= tried.work
        if tried.order is not None:
            found = Ordered(tried.order, peak_of(steps, tried.order), found.floor)
        elif tried.ended:
            found = Ordered(found.order, found.peak, found.peak)
    return found


@dataclass(frozen=True, slots=True)
class Explored:
    """``ended``: every way was tried. ``work``: kernels taken."""

    order: tuple[int, ...] | None
    ended: bool
    work: int


def search(lowered: Lowered, target: int, limit: int) -> tuple[int, ...] | None:
    """Kernel ids in an order with a peak of at most ``target`` bytes, or None if ``limit`` branches found none."""
    return explore(Steps.of(lowered), target, limit).order


@dataclass(slots=True)
class _Branch:
    depth: int  # kernels taken before this point
    choices: list[int]


def explore(steps: Steps, target: int, limit: int | None, work: int | None = None) -> Explored:
    """Looks for an order with a peak of at most ``target`` bytes, for ``limit`` branches or ``work`` kernels."""
    tally = Tally(steps)
    if tally.bytes > target:
        return Explored(None, True, 0)
    done = _settle(tally, target, 0)
    taken = len(tally.taken)
    stack = [_Branch(taken, _choices(tally, target))]
    seen: set[int] = set()
    dones = [done]
    branches = 0
    while stack:
        at = stack[-1]
        while len(tally.taken) > at.depth:
            tally.untake()
        if not tally.ready:
            return Explored(tally.order(), False, taken)
        if (limit is not None and branches >= limit) or (work is not None and taken > work):
            return Explored(None, False, taken)
        if not at.choices:
            stack.pop()
            dones.pop()
            continue
        kernel = at.choices.pop()
        branches += 1
        tally.take(kernel)
        done = _settle(tally, target, dones[-1] | 1 << kernel)
        taken += len(tally.taken) - at.depth
        if done not in seen:
            seen.add(done)
            stack.append(_Branch(len(tally.taken), _choices(tally, target)))
            dones.append(done)
    return Explored(None, True, taken)


def _settle(tally: Tally, target: int, done: int) -> int:
    """Take every move that cannot hurt; returns the set of what has run, in bits."""
    moved = True
    while moved:
        moved = False
        for kernel in sorted(tally.ready):
            if tally.after[kernel] <= 0 and tally.bytes + tally.during[kernel] <= target:
                tally.take(kernel)
                done |= 1 << kernel
                moved = True
    return done


def _choices(tally: Tally, target: int) -> list[int]:
    """The other moves that stay below the target, the most promising last."""
    rated = [(tally.after[k], tally.during[k], k) for k in tally.ready if tally.bytes + tally.during[k] <= target]
    return [r[-1] for r in sorted(rated, reverse=True)]
