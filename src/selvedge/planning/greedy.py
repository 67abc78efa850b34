"""Several greedy schedules: where the search for an order starts."""

from __future__ import annotations

from collections.abc import Callable

from .kernel import Lowered
from .tally import Steps, Tally


def greedy(lowered: Lowered, steps: Steps | None = None) -> tuple[int, tuple[int, ...]]:
    """(peak, kernel ids) of the best of several greedy schedules. ``steps``: of ``lowered``, if they are known."""
    steps = steps or Steps.of(lowered)
    shrinks = _shrinks(steps)
    # Kernels are numbered in their natural order, that of the graph.
    strategies: list[Callable[[Tally, int], tuple[int, ...]]] = [
        # frees most, then natural order: updates run as soon as they may
        lambda t, k: (t.after[k], t.during[k], k),
        # smallest peak now, then frees most
        lambda t, k: (max(t.bytes + t.during[k], t.peak), t.after[k], k),
        # natural order, but whatever frees memory first
        lambda t, k: (0 if t.after[k] <= 0 else 1, k),
        lambda t, k: (k,),
        # natural order, but what makes little of much at once too: of a gradient in pieces, say, its sums
        lambda t, k: (0 if t.after[k] <= 0 or shrinks[k] else 1, k),
    ]
    found = [_schedule(steps, s) for s in strategies]
    return min(found, key=lambda f: f[0])


def _shrinks(steps: Steps) -> list[bool]:
    """For each kernel: is what it makes, with its scratch, at most an eighth of one of its operands?"""
    size, found = steps.live.size, []
    for kernel, reads in zip(steps.lowered.kernels, steps.reads, strict=True):
        made = sum(size.get(i, 0) for i in (*kernel.writes, *((kernel.scratch,) if kernel.scratch is not None else ())))
        found.append(8 * made <= max((size[r] for r in reads), default=0))
    return found


def _schedule(steps: Steps, priority: Callable[[Tally, int], tuple[int, ...]]) -> tuple[int, tuple[int, ...]]:
    tally = Tally(steps)
    while tally.ready:
        tally.take(min(tally.ready, key=lambda k: priority(tally, k)))
    return tally.peak, tally.order()
