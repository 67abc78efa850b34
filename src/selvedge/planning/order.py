"""Which instances are live when, what may share bytes, and an order of kernels replayed in live bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .kernel import ARENA, Kernel, Lowered


@dataclass(frozen=True, slots=True)
class Liveness:
    """Transient bytes of every instance, its readers and its maker, in a form that is quick to replay."""

    size: dict[int, int]
    readers: dict[int, frozenset[int]]
    maker: dict[int, int]
    inputs: frozenset[int]
    pinned: frozenset[int]  # program outputs: live to the end


def liveness(lowered: Lowered) -> Liveness:
    size = {i.id: i.spec.bytes for i in lowered.instances if i.region == ARENA}
    readers: dict[int, set[int]] = {i: set() for i in size}
    maker: dict[int, int] = {}
    for k in lowered.kernels:
        for r in k.reads:
            if r in size:
                readers[r].add(k.id)
        for w in k.writes:
            if w in size:
                maker[w] = k.id
    return Liveness(
        size,
        {i: frozenset(r) for i, r in readers.items()},
        maker,
        frozenset(lowered.inputs.values()) & frozenset(size),
        frozenset(lowered.outputs.values()) & frozenset(size),
    )


class Replay:
    """Live bytes while kernels are taken one after another."""

    def __init__(self, lowered: Lowered, live: Liveness) -> None:
        self.kernels = {k.id: k for k in lowered.kernels}
        self.live = live
        self.left = {i: len(r) for i, r in live.readers.items()}  # readers still to come: quick to copy
        self.bytes = sum(live.size[i] for i in live.inputs)
        self.peak = self.bytes

    def copy(self) -> Replay:
        """An independent replay at the same point."""
        other = Replay.__new__(Replay)
        other.kernels, other.live = self.kernels, self.live
        other.left = self.left.copy()
        other.bytes, other.peak = self.bytes, self.peak
        return other

    def dies(self, kernel: int) -> list[int]:
        """What ``kernel``, not taken yet, would be the last to read."""
        reads = dict.fromkeys(self.kernels[kernel].reads)
        return [r for r in reads if self.left.get(r) == 1 and r not in self.live.pinned]

    def effect(self, kernel: int) -> tuple[int, int]:
        """(live bytes while it runs, live bytes after it)."""
        k, size = self.kernels[kernel], self.live.size
        dying = self.dies(kernel)
        made = sum(size[w] for w in k.writes if w in size)
        scratch = size[k.scratch] if k.scratch is not None else 0
        during = self.bytes + made + scratch - shared_bytes(k, set(dying), size)
        unread = sum(size[w] for w in k.writes if w in size and not self.left[w] and w not in self.live.pinned)
        return during, self.bytes + made - sum(size[d] for d in dying) - unread

    def take(self, kernel: int) -> None:
        during, after = self.effect(kernel)
        for r in set(self.kernels[kernel].reads):
            if r in self.left:
                self.left[r] -= 1
        self.bytes = after
        self.peak = max(self.peak, during)


def pairs_in_place(
    inplace: Sequence[tuple[int, int]],
    writes: Sequence[int],
    reads: Sequence[int],
    dying: set[int],
    size: dict[int, int],
) -> list[tuple[int, int]]:
    """(write, read) instances that share bytes here: each write and each dying read used at most once, and no choice
    shares more.

    Partners are of one size, so the heaviest matching is the largest: grown along augmenting paths (Kuhn, 1955).
    """
    partners: dict[int, list[int]] = {}
    for w, r in inplace:
        a, b = writes[w], reads[r]
        if a in size and b in dying and size[a] == size[b]:
            partners.setdefault(a, []).append(b)
    taken: dict[int, int] = {}  # read -> write

    def grow(write: int, seen: set[int]) -> bool:
        for read in partners[write]:
            if read in seen:
                continue
            seen.add(read)
            if read not in taken or grow(taken[read], seen):
                taken[read] = write
                return True
        return False

    for write in partners:
        grow(write, set())
    return [(write, read) for read, write in taken.items()]


def shared_bytes(kernel: Kernel, dying: set[int], size: dict[int, int]) -> int:
    """The most bytes that results of ``kernel`` can share with operands that die in it."""
    places = pairs_in_place(kernel.inplace, kernel.writes, kernel.reads, dying, size)
    over = [
        min(size[kernel.writes[w]] - apart, size[kernel.reads[r]])
        for w, r, apart in kernel.overlay
        if kernel.reads[r] in dying and kernel.writes[w] in size
    ]
    return max(sum(size[a] for a, _ in places), *over, 0)
