"""Lower bounds on transient bytes, from relaxations that know nothing of the plan found."""

from __future__ import annotations

from collections.abc import Sequence

from .kernel import Lowered
from .order import Replay, liveness, shared_bytes


def bound_of_order(lowered: Lowered, order: Sequence[int]) -> int:
    """No placement of this order can use less: the largest sum of simultaneously live bytes (offsets relaxed), every
    kernel writing as much in place as it can, whatever that asks of the others."""
    replay = Replay(lowered, liveness(lowered))
    for kernel in order:
        replay.take(kernel)
    return replay.peak


def bound_of_any_order(lowered: Lowered) -> int:
    """No order can use less (order relaxed): the inputs together, or what any one kernel finds in memory."""
    live = liveness(lowered)
    return max(sum(live.size[i] for i in live.inputs), *bounds_while_running(lowered).values(), 0)


def bounds_while_running(lowered: Lowered) -> dict[int, int]:
    """Kernel -> bytes that are live while it runs in any order: its operands, and every value whose maker must come
    before it and one of whose readers must come after it."""
    live = liveness(lowered)
    ids = [k.id for k in lowered.kernels]
    bit = {k: 1 << i for i, k in enumerate(ids)}
    before: dict[int, int] = {}
    remaining = {k: set(a) for k, a in lowered.after.items()}
    followers: dict[int, list[int]] = {}
    for k, sources in lowered.after.items():
        for s in sources:
            followers.setdefault(s, []).append(k)
    ready = [k for k, a in remaining.items() if not a]
    topological: list[int] = []
    while ready:
        k = ready.pop()
        topological.append(k)
        before[k] = 0
        for s in lowered.after[k]:
            before[k] |= before[s] | bit[s]
        for f in followers.get(k, ()):
            remaining[f].discard(k)
            if not remaining[f]:
                ready.append(f)
    behind: dict[int, int] = dict.fromkeys(ids, 0)
    for k in reversed(topological):
        for f in followers.get(k, ()):
            behind[k] |= behind[f] | bit[f]

    readers = {i: sum(bit[k] for k in r) for i, r in live.readers.items()}
    found: dict[int, int] = {}
    for kernel in lowered.kernels:
        total = 0
        own = set(kernel.touches)
        for i, size in live.size.items():
            if i in own:
                total += size
                continue
            made_before = i in live.inputs or (i in live.maker and before[kernel.id] & bit[live.maker[i]])
            needed_after = i in live.pinned or readers[i] & behind[kernel.id]
            if made_before and needed_after:
                total += size
        # A write may take the place of a read that no kernel has to read later.
        dying = {
            i for i in kernel.reads if i in readers and i not in live.pinned and not readers[i] & behind[kernel.id]
        }
        found[kernel.id] = total - shared_bytes(kernel, dying, live.size)
    return found
