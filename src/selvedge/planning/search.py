"""An order of the kernels whose live bytes never exceed a target: depth first, with the moves that cannot hurt taken
at once.

A ready kernel that ends with no more live bytes than it began with, and stays below the target meanwhile, can only
help the rest: taking it now leaves every later step with at most as many bytes. The search branches on the others.
"""

from __future__ import annotations

from dataclasses import dataclass

from .kernel import Lowered
from .order import Replay, greedy, liveness

LIMIT = 400  # branches a target


def lowest_peak(lowered: Lowered, floor: int) -> tuple[int, ...]:
    """Kernel ids in the order of the lowest peak found; ``floor``: a bound that no order can beat.

    Tries the floor itself, then halves the interval between what failed and what was found.
    """
    peak, best = greedy(lowered)
    low, target = floor, floor
    while peak > floor and target < peak:
        found = search(lowered, target, LIMIT)
        if found is None:
            low = target
        else:
            best, peak = found, min(peak, target)
        target = (low + peak) // 2
        if peak - low <= max(64, peak // 500):
            break
    return best


@dataclass(slots=True)
class _Branch:
    replay: Replay
    waiting: dict[int, int]
    ready: list[int]
    taken: list[int]
    done: int
    choices: list[int]


def search(lowered: Lowered, target: int, limit: int) -> tuple[int, ...] | None:
    """Kernel ids in an order with a peak of at most ``target`` bytes, or None if ``limit`` branches found none."""
    live = liveness(lowered)
    natural = {k.id: i for i, k in enumerate(lowered.kernels)}
    followers: dict[int, list[int]] = {}
    for k, sources in lowered.after.items():
        for s in sources:
            followers.setdefault(s, []).append(k)
    bit = {k.id: 1 << i for i, k in enumerate(lowered.kernels)}

    def take(at: _Branch, kernel: int) -> None:
        at.replay.take(kernel)
        at.ready.remove(kernel)
        at.taken.append(kernel)
        at.done |= bit[kernel]
        for f in followers.get(kernel, ()):
            at.waiting[f] -= 1
            if not at.waiting[f]:
                at.ready.append(f)

    def settle(at: _Branch) -> None:
        """Take every move that cannot hurt, then list the others, the most promising last."""
        moved = True
        while moved:
            moved = False
            for kernel in sorted(at.ready, key=natural.__getitem__):
                during, after = at.replay.effect(kernel)
                if during <= target and after <= at.replay.bytes:
                    take(at, kernel)
                    moved = True
        rated = []
        for kernel in at.ready:
            during, after = at.replay.effect(kernel)
            if during <= target:
                rated.append((after - at.replay.bytes, during, natural[kernel], kernel))
        at.choices = [r[-1] for r in sorted(rated, reverse=True)]

    replay = Replay(lowered, live)
    if replay.bytes > target:
        return None
    start = _Branch(
        replay,
        {k: len(a) for k, a in lowered.after.items()},
        [k for k, a in lowered.after.items() if not a],
        [],
        0,
        [],
    )
    settle(start)
    stack = [start]
    seen: set[int] = set()
    branches = 0
    while stack:
        at = stack[-1]
        if not at.ready:
            return tuple(at.taken)
        if not at.choices or branches >= limit:
            if branches >= limit:
                return None
            stack.pop()
            continue
        kernel = at.choices.pop()
        branches += 1
        if at.choices:
            child = _Branch(at.replay.copy(), dict(at.waiting), list(at.ready), list(at.taken), at.done, [])
        else:
            child = at
            stack.pop()
        take(child, kernel)
        settle(child)
        if child.done not in seen:
            seen.add(child.done)
            stack.append(child)
    return None
