"""Lower bounds on transient bytes, from relaxations that know nothing of the plan found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .kernel import Lowered
from .order import Replay, liveness, shared_bytes
from .tally import Steps


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
    steps = Steps.of(lowered)
    live, count = steps.live, len(steps.ids)
    before = _ancestors(steps)  # [k, a]: must a have run before k
    behind = np.ascontiguousarray(before.T)
    at = {k: i for i, k in enumerate(steps.ids)}
    touching: dict[int, list[int]] = {i: [] for i in live.size}
    for k, kernel in enumerate(lowered.kernels):
        for i in kernel.touches:
            if i in touching:
                touching[i].append(k)

    total = np.zeros(count, np.int64)
    lasting: dict[int, np.ndarray] = {}  # instance -> while which kernels something must still read it
    for i, size in live.size.items():
        if i in live.inputs:
            held = np.ones(count, bool)
        elif i in live.maker:
            held = behind[at[live.maker[i]]].copy()
        else:
            held = np.zeros(count, bool)
        if i not in live.pinned:
            lasting[i] = np.logical_or.reduce(before[list(steps.readers[i])], axis=0)
            held &= lasting[i]
        held[touching[i]] = True
        total[held] += size
    found: dict[int, int] = {}
    for k, kernel in enumerate(lowered.kernels):
        # A write may take the place of a read that no kernel has to read later.
        dying = {i for i in steps.reads[k] if i not in live.pinned and not lasting[i][k]}
        found[kernel.id] = int(total[k]) - shared_bytes(kernel, dying, live.size)
    return found


def _ancestors(steps: Steps) -> np.ndarray:
    """[k, a]: kernel a must run before kernel k, by way of others or not. Bool, a byte each."""
    count = len(steps.ids)
    before = np.zeros((count, count), bool)
    waiting = [len(b) for b in steps.before]
    ready = [k for k, n in enumerate(waiting) if not n]
    while ready:
        k = ready.pop()
        for s in steps.before[k]:
            before[k] |= before[s]
            before[k, s] = True
        for f in steps.behind[k]:
            waiting[f] -= 1
            if not waiting[f]:
                ready.append(f)
    return before
