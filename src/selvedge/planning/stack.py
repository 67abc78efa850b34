"""Offsets below a target: buffers are stacked in rising order of offset, each on what lies below it, depth first.

Every placement can be pressed down and sorted by offset without growing, so nothing is lost by looking at these alone.
A branch ends where some moment's stack and what must still be live then do not fit under the target together (Moffitt,
"MiniMalloc: A Lightweight Memory Allocator for Hardware-Accelerated Machine Learning", ASPLOS 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .place import Buffer, aligned

LIMIT = 3000  # buffers placed a target: a tenth of a second
RULES = 5


@dataclass(frozen=True, slots=True)
class Stacked:
    """``offsets``: of each buffer, or None where none was found. ``ended``: every way was tried. ``work``: buffers
    placed."""

    offsets: list[int] | None
    ended: bool
    work: int


def stack(found: Sequence[Buffer], align: int, item: int, target: int, limit: int = LIMIT, rule: int = 0) -> Stacked:
    """Offsets with a top of at most ``target`` bytes, after at most ``limit`` placed buffers.

    rule: which of the buffers that could lie at one offset is tried first: 0 the largest area of bytes and time, 1 the
    most bytes, 2 the longest life, 3 the earliest start, 4 the latest end.
    """
    count = len(found)
    steps = np.array(aligned(found, align, item), np.int64)
    size = np.array([b.bytes for b in found], np.int64)
    moments = sorted({b.start for b in found})  # what is live changes for the worse only where something starts
    place = {t: n for n, t in enumerate(moments)}
    first = np.array([place[b.start] for b in found])
    last = np.searchsorted(moments, [b.stop for b in found], side="right")
    together = (first[:, None] < last[None, :]) & (first[None, :] < last[:, None])

    floor = np.zeros(len(moments), np.int64)  # top of the stack at each moment
    rest = np.zeros(len(moments), np.int64)  # bytes that are still to come there
    for i in range(count):
        rest[first[i] : last[i]] += size[i]
    if count and int(rest.max()) > target:
        return Stacked(None, True, 0)
    low = np.zeros(count, np.int64)  # least offset of what is not placed yet
    weight = (size * (last - first), size, last - first, -first, last)[rule]
    open_ = np.ones(count, bool)
    offsets = [0] * count
    trail: list[tuple[int, np.ndarray, np.ndarray]] = []
    choices = [_choices(low, size, weight, np.arange(count), 0)]
    placed = 0
    while choices:
        if len(trail) == count:
            return Stacked(offsets, False, placed)
        if not choices[-1]:
            choices.pop()
            if trail:
                i, floors, lows = trail.pop()
                open_[i] = True
                rest[first[i] : last[i]] += size[i]
                floor[first[i] : last[i]] = floors
                low = lows
            continue
        if placed >= limit:
            return Stacked(None, False, placed)
        i = choices[-1].pop()
        placed += 1
        at, span = int(low[i]), slice(first[i], last[i])
        top = at + int(size[i])
        # In rising order nothing starts below ``at`` any more, so every stack that still grows is as high as that.
        if top + int(rest[span].max()) - int(size[i]) > target or at + int(rest.max()) > target:
            continue
        trail.append((i, floor[span].copy(), low))
        floor[span] = top
        rest[span] -= size[i]
        open_[i] = False
        offsets[i] = at
        raised = together[i] & open_ & (low < top)
        low = np.where(raised, -(-top // steps) * steps, low)
        low = np.where(open_ & (low < at), -(-at // steps) * steps, low)
        waiting = np.flatnonzero(open_)
        if (low[waiting] + size[waiting] > target).any():
            choices.append([])
        else:
            choices.append(_choices(low, size, weight, waiting, at))
    return Stacked(None, True, placed)


def _choices(low: np.ndarray, size: np.ndarray, weight: np.ndarray, waiting: np.ndarray, at: int) -> list[int]:
    """What may come next, the most promising last. What could start lower than ``at`` has had its turn; and where one
    could lie whole below another, it comes first."""
    if not len(waiting):
        return []
    least = int((low[waiting] + size[waiting]).min())
    fit = waiting[(low[waiting] >= at) & (low[waiting] < least)]
    order = np.lexsort((fit, weight[fit], -low[fit]))
    return [int(i) for i in fit[order]]
