"""Offsets for many buffers: the large ones stacked below a target, the small ones into the holes that are left.

A program that works by pieces has hundreds of buffers, most of them crumbs: parts of weights, sums, scales. They make
every search long and hardly ever decide where the large ones can lie.
"""

from __future__ import annotations

from collections.abc import Sequence

from .place import Buffer, aligned, bars, fit
from .stack import RULES, stack

SHARES = (1 / 16, 1 / 256)  # of the target: what is at least so large is stacked
LIMIT = 6000  # buffers placed by a stacking


def large_first(found: Sequence[Buffer], align: int, item: int, target: int) -> tuple[dict[int, int], int] | None:
    """Instance -> byte offset, and the bytes used, the fewest found; None where the large ones were not stacked below
    ``target``. ``align`` and ``item`` as :func:`place` takes them."""
    steps, near = aligned(found, align, item), bars(found)
    best: tuple[list[int], int] | None = None
    for share in SHARES:
        large = [i for i, b in enumerate(found) if b.bytes >= share * target]
        small = sorted(set(range(len(found))) - set(large), key=lambda i: (-found[i].bytes, i))
        for rule in range(RULES):
            stacked = stack([found[i] for i in large], align, item, target, LIMIT, rule)
            if stacked.offsets is None:
                continue
            fixed = dict(zip(large, stacked.offsets, strict=True))
            offsets, top = fit(small, found, near, steps, fixed=fixed)
            if best is None or top < best[1]:
                best = offsets, top
            if top <= target:
                break
        if best is not None and best[1] <= target:
            break
    if best is None:
        return None
    return {i: best[0][n] for n, b in enumerate(found) for i in b.instances}, best[1]
