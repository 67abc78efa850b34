"""Offsets in the arena: best fit over several orders of placement, then a seeded local search down to the bound."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from types import MappingProxyType

from .kernel import Lowered
from .order import Liveness, liveness, pairs_in_place

WORK = 2_000_000  # pairs of neighbours that the local search looks at: about a second


@dataclass(frozen=True, slots=True)
class Buffer:
    """Bytes that are live from kernel position ``start`` to ``stop``, both included. Several instances may share one:
    each takes over from the one before it, in place.

    over: (instance, bytes): it may lie over the buffer of that instance, which ends where this one starts, if it begins
    so many bytes or more before it.
    """

    instances: tuple[int, ...]
    bytes: int
    start: int
    stop: int
    over: tuple[int, int] | None = None


def buffers(lowered: Lowered, order: Sequence[int]) -> list[Buffer]:
    """The buffers of ``lowered`` executed in ``order``. Inputs start at -1; outputs stop at ``len(order)``."""
    live = liveness(lowered)
    at = {k: i for i, k in enumerate(order)}
    scratch = {k.scratch: at[k.id] for k in lowered.kernels if k.scratch is not None}
    span = {i: _span(i, live, at, scratch) for i in live.size}
    merged: dict[int, list[int]] = {i: [i] for i in live.size}
    owner = {i: i for i in live.size}
    over: dict[int, tuple[int, int]] = {}
    for k in sorted(lowered.kernels, key=lambda k: at[k.id]):
        dying = {r for r in k.reads if r in live.size and span[r][1] == at[k.id]}
        for write, read in pairs_in_place(k.inplace, k.writes, k.reads, dying, live.size):
            head = owner[read]
            merged[head].append(write)
            owner[write] = head
            del merged[write]
            dying.discard(read)  # another result lies there now
        for w, r, apart in k.overlay:
            if k.reads[r] in dying and owner[k.writes[w]] == k.writes[w]:
                over[k.writes[w]] = (k.reads[r], apart)
    return [
        Buffer(tuple(m), live.size[m[0]], min(span[i][0] for i in m), max(span[i][1] for i in m), over.get(m[0]))
        for m in merged.values()
    ]


def _span(instance: int, live: Liveness, at: dict[int, int], scratch: dict[int, int]) -> tuple[int, int]:
    if instance in live.inputs:
        start = -1
    elif instance in live.maker:
        start = at[live.maker[instance]]
    else:  # scratch: exactly while its kernel runs
        start = scratch[instance]
    if instance in live.pinned:
        return start, len(at)
    return start, max([start, *(at[k] for k in live.readers[instance])])


def place(
    found: Sequence[Buffer], align: int, item: int, bound: int, tries: int | None = None, seed: int = 0
) -> tuple[dict[int, int], int]:
    """Instance -> byte offset, and the bytes used. Stops early when ``bound`` is met, or after ``tries`` (by default as
    many as take a second or two).

    align: what whole multiples of it are aligned to, for the sake of vectors; anything else gets ``item``, and nothing
    gets less.
    """
    aligns = aligned(found, align, item)
    near = bars(found)
    index = range(len(found))
    length = [b.stop - b.start + 1 for b in found]
    first = [
        sorted(index, key=lambda i: (-found[i].bytes, -length[i], i)),
        sorted(index, key=lambda i: (-length[i], -found[i].bytes, i)),
        sorted(index, key=lambda i: (-found[i].bytes * length[i], i)),
        sorted(index, key=lambda i: (found[i].start, -found[i].bytes, i)),
        sorted(index, key=lambda i: (-found[i].stop, -found[i].bytes, i)),
    ]
    fitted: list[tuple[list[int], int, list[int]]] = []
    for sequence in first:
        fitted.append((*fit(sequence, found, near, aligns), sequence))
        if fitted[-1][1] <= bound:
            break
    best_offsets, best, best_order = min(fitted, key=lambda f: f[1])
    rng = random.Random(seed)
    if tries is None:
        pairs = sum(map(len, near))
        tries = min(100 + 200_000 // (1 + len(found)), WORK // (1 + pairs))
    # Buffers that may lie over others make deep valleys: then begin again from other orders, the last first.
    starts = [(best_offsets, best, best_order), *(fitted[:2:-1] if any(b.over for b in found) else ())]
    for start in starts:
        offsets, top, order = start
        for _ in range(tries if len(found) > 1 else 0):
            if best <= bound:
                break
            # Move a buffer that reaches the top to an earlier turn: it is the one that found no hole.
            sequence = list(order)
            tops = [i for i in sequence if offsets[i] + found[i].bytes == top]
            mover = rng.choice(tops) if rng.random() < 0.7 else rng.choice(sequence)
            at = sequence.index(mover)
            sequence.insert(rng.randrange(at + 1), sequence.pop(at))
            tried, reached = fit(sequence, found, near, aligns, top)
            if reached <= top:
                offsets, top, order = tried, reached, sequence
            if top < best:
                best_offsets, best = offsets, top
    return {i: best_offsets[b] for b, buffer in enumerate(found) for i in buffer.instances}, max(best, 0)


def aligned(found: Sequence[Buffer], align: int, item: int) -> list[int]:
    """What the offset of each is a multiple of: ``align`` if its bytes are too, else ``item``."""
    return [max(align, item) if b.bytes % align == 0 else item for b in found]


def overlays(found: Sequence[Buffer]) -> dict[tuple[int, int], int]:
    """(a buffer, the one that it may lie over) -> the bytes that it must then begin before it."""
    at_instance = {i: b for b, buffer in enumerate(found) for i in buffer.instances}
    return {(i, at_instance[b.over[0]]): b.over[1] for i, b in enumerate(found) if b.over is not None}


def _neighbours(found: Sequence[Buffer]) -> list[list[int]]:
    """The buffers that are live together with each: a sweep over time."""
    neighbours: list[list[int]] = [[] for _ in found]
    live: list[int] = []
    for i in sorted(range(len(found)), key=lambda i: found[i].start):
        live = [j for j in live if found[j].stop >= found[i].start]
        neighbours[i] = live.copy()
        for j in live:
            neighbours[j].append(i)
        live.append(i)
    return neighbours


def bars(found: Sequence[Buffer]) -> list[list[tuple[int, int, int]]]:
    """For each buffer those that are live together with it: (which, low, high). It must end before the other's offset +
    low, or begin at its offset + high or behind it."""
    over = overlays(found)

    def bar(i: int, j: int) -> tuple[int, int, int]:
        if (i, j) in over:
            return j, found[i].bytes - over[i, j], found[j].bytes
        return j, 0, over.get((j, i), found[j].bytes)

    return [[bar(i, j) for j in beside] for i, beside in enumerate(_neighbours(found))]


def fit(
    sequence: Sequence[int],
    found: Sequence[Buffer],
    near: Sequence[Sequence[tuple[int, int, int]]],
    align: Sequence[int],
    most: float = inf,
    fixed: Mapping[int, int] = MappingProxyType({}),
) -> tuple[list[int], int]:
    """Each buffer of ``sequence`` in turn into the smallest hole among the placed buffers that are live with it, and
    the top reached; given up where that is above ``most``. near: :func:`bars`. fixed: offsets of what lies already."""
    offsets = [-1] * len(found)
    top = 0
    for i, at in fixed.items():
        offsets[i] = at
        top = max(top, at + found[i].bytes)
    for i in sequence:
        need, step = found[i].bytes, align[i]
        taken = [(o + low, o + high) for j, low, high in near[i] if (o := offsets[j]) >= 0]
        taken.sort()
        end, best_gap, best_at = 0, -1, -1
        for low, high in taken:
            start = -(-end // step) * step
            gap = low - start
            if gap >= need and (best_gap < 0 or gap < best_gap):
                best_gap, best_at = gap, start
            if high > end:
                end = high
        at = best_at if best_at >= 0 else -(-end // step) * step
        offsets[i] = at
        if at + need > top:
            top = at + need
            if top > most:
                break
    return offsets, top
