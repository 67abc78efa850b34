"""The best places for the buffers of an order: best fit, stacking below a target, of many the large ones first, local
search, then the solver."""

from __future__ import annotations

from collections.abc import Sequence

from .large_first import large_first
from .place import Buffer, place
from .solve_place import MOST, Placement, solve_place, whole
from .stack import LIMIT, RULES, stack

WORK = 40_000_000  # numbers that stacking looks at: a second or two


def best_places(found: Sequence[Buffer], align: int, item: int, bound: int) -> Placement:
    """Offsets of the lowest top found; ``align``, ``item`` and ``bound`` as :func:`place` takes them. Each means is
    tried only where those before it missed the bound; stacking does not know of buffers that lie over others, and the
    solver is quick with them: the bound of an order is seldom what their places can reach."""
    rows = any(b.over is not None for b in found)
    offsets, top = place(found, align, item, bound, tries=0)
    best = Placement(offsets, top, min(bound, top))
    if not best.proven:
        best = solve_place(found, align, item, best.offsets, best.bound) if rows else _stacked(found, align, item, best)
    if not best.proven and len(found) > MOST:
        made = large_first(found, align, item, best.bound)
        if made is not None and made[1] < best.top:
            best = Placement(*made, best.bound)
    if not best.proven:
        offsets, top = place(found, align, item, best.bound)
        if top < best.top:
            best = Placement(offsets, top, best.bound)
    if not best.proven:  # from lower offsets it often ends at once
        best = solve_place(found, align, item, best.offsets, best.bound)
    return best


def _stacked(found: Sequence[Buffer], align: int, item: int, best: Placement) -> Placement:
    """``best`` brought down by stacking: the bound itself, then halfway between what failed and what was found."""
    work = WORK
    low, target = best.bound, best.bound
    while not best.proven and low < best.top and work > 0:
        made = None
        for rule in range(RULES):
            tried = stack(found, align, item, target, max(LIMIT, 2 * len(found)), rule)
            work -= tried.work * (len(found) + 200)
            made = tried.offsets
            if made is not None or tried.ended or work <= 0:
                break
        if made is not None:
            top = max(o + b.bytes for o, b in zip(made, found, strict=True))
            offsets = {i: o for o, b in zip(made, found, strict=True) for i in b.instances}
            best = Placement(offsets, top, best.bound)
        else:
            low = target + 1
            if tried.ended:
                best = Placement(best.offsets, best.top, whole(found, item, target + 1))
        target = (low + best.top - 1) // 2
        if best.top - low < item:
            break
    return best
