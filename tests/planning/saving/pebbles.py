"""The fewest bytes of any sequence of kernels, found by trying everything: the oracle for small steps."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush
from math import inf

from selvedge.planning.kernel import ARENA, STATE, Kernel, Lowered
from selvedge.planning.order import pairs_in_place

State = tuple[frozenset[int], frozenset[int]]  # what is in memory; which kernels that run once have run


def cheapest(low: Lowered, seconds: Mapping[int, float], limit: int, most: float = inf) -> float:
    """Seconds of the cheapest sequence of at most ``limit`` bytes, inf if there is none of at most ``most``: Dijkstra's
    search over what is in memory. A value may be dropped whenever nothing is to read it soon; every kernel may run
    again, but the one that makes the loss, and those that update state after it."""
    size = {i.id: i.spec.bytes for i in low.instances if i.region == ARENA}
    states = {i.id: i for i in low.instances if i.region == STATE}
    outputs = frozenset(low.outputs.values())
    gate = next((k.id for k in low.kernels if low.gate in k.writes), None)
    once = {k.id: k for k in low.kernels if k.id == gate or any(w in states for w in k.writes)}
    start: State = (frozenset(low.inputs.values()), frozenset())
    best: dict[State, float] = {start: 0.0}
    queue: list[tuple[float, int, State]] = [(0.0, 0, start)]
    pushed = 0
    while queue:
        cost, _, at = heappop(queue)
        memory, done = at
        if cost > best[at]:
            continue
        if outputs <= memory and once.keys() <= done:
            return cost
        new = {states[w].state for u in done for w in once[u].writes if w in states}
        for k in low.kernels:
            reads = {r for r in k.reads if r in size}
            if not reads <= memory or cost + seconds[k.id] > most or (k.id in done):
                continue
            if any(states[r].state in new and states[r].version == 0 for r in k.reads if r in states):
                continue  # it would read a weight that is new by now
            if k.id in once and gate is not None and k.id != gate and gate not in done:
                continue
            for kept in _subsets(memory - set(k.writes)):
                if _bytes(k, memory, kept, size) > limit:
                    continue
                made = frozenset(w for w in k.writes if w in size)
                after: State = (kept | made, done | {k.id} if k.id in once else done)
                paid = cost + seconds[k.id]
                if paid < best.get(after, inf):
                    best[after] = paid
                    pushed += 1
                    heappush(queue, (paid, pushed, after))
    return inf


def _subsets(values: frozenset[int]) -> list[frozenset[int]]:
    """What may be kept: everything, or everything but some."""
    listed = sorted(values)
    return [frozenset(v for n, v in enumerate(listed) if mask >> n & 1) for mask in range(1 << len(listed))]


def _bytes(k: Kernel, memory: frozenset[int], kept: frozenset[int], size: Mapping[int, int]) -> int:
    """Live while ``k`` runs: what is kept, its operands and results, less what it writes in place of what goes."""
    reads = {r for r in k.reads if r in size}
    live = kept | reads | {w for w in k.writes if w in size}
    dying = (reads - kept) & memory
    pairs = pairs_in_place(k.inplace, k.writes, k.reads, dying, dict(size))
    return sum(size[i] for i in live) - sum(size[w] for w, _ in pairs)
