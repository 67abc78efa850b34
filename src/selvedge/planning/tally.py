"""Live bytes while kernels are taken one after another, and taken back: what greedy orders and searches count with."""

from __future__ import annotations

from dataclasses import dataclass, field

from .kernel import Lowered
from .order import Liveness, liveness, shared_bytes


@dataclass(frozen=True, slots=True)
class Steps:
    """A lowered program by position: kernel k is ``lowered.kernels[k]``. reads: the arena instances that each reads,
    each once. readers: of an instance. before, behind: what must have run first, and what waits."""

    lowered: Lowered
    live: Liveness
    ids: tuple[int, ...]
    reads: tuple[tuple[int, ...], ...]
    readers: dict[int, tuple[int, ...]]
    before: tuple[tuple[int, ...], ...]
    behind: tuple[tuple[int, ...], ...]
    start: int  # bytes of the inputs
    rated: dict[tuple[int, tuple[int, ...]], tuple[int, int]] = field(default_factory=dict)  # what is known

    @classmethod
    def of(cls, lowered: Lowered) -> Steps:
        live = liveness(lowered)
        at = {k.id: i for i, k in enumerate(lowered.kernels)}
        behind: list[list[int]] = [[] for _ in at]
        before = tuple(tuple(sorted(at[s] for s in lowered.after[k.id])) for k in lowered.kernels)
        for k, sources in enumerate(before):
            for s in sources:
                behind[s].append(k)
        return cls(
            lowered,
            live,
            tuple(at),
            tuple(tuple(r for r in dict.fromkeys(k.reads) if r in live.size) for k in lowered.kernels),
            {i: tuple(sorted(at[k] for k in readers)) for i, readers in live.readers.items()},
            before,
            tuple(map(tuple, behind)),
            sum(live.size[i] for i in live.inputs),
        )

    def rate(self, kernel: int, dying: tuple[int, ...]) -> tuple[int, int]:
        """(bytes while ``kernel`` runs, bytes after it) beside what was live before, if ``dying`` are the reads that
        nothing needs any more."""
        key = (kernel, dying)
        if key not in self.rated:
            k, size, pinned = self.lowered.kernels[kernel], self.live.size, self.live.pinned
            made = sum(size[w] for w in k.writes if w in size)
            scratch = size[k.scratch] if k.scratch is not None else 0
            shared = shared_bytes(k, set(dying), size)
            unread = sum(size[w] for w in k.writes if w in size and not self.readers[w] and w not in pinned)
            self.rated[key] = made + scratch - shared, made - sum(size[r] for r in dying) - unread
        return self.rated[key]


class Tally:
    """What each kernel would add to the live bytes if it came next: ``during[k]`` while it runs, ``after[k]`` for good.

    Both change only when a kernel becomes the last reader of something, so a step costs as much as its operands.
    """

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.left = {i: len(r) for i, r in steps.readers.items()}
        self.bytes = self.peak = steps.start
        self.waiting = [len(b) for b in steps.before]
        self.ready = {k for k, count in enumerate(self.waiting) if not count}
        self.taken: list[int] = []
        self._done = bytearray(len(steps.ids))
        self.during, self.after = [0] * len(steps.ids), [0] * len(steps.ids)
        for k in range(len(steps.ids)):
            self._rate(k)

    def take(self, kernel: int) -> None:
        steps, left = self.steps, self.left
        self.peak = max(self.peak, self.bytes + self.during[kernel])
        self.bytes += self.after[kernel]
        self._done[kernel] = 1
        self.taken.append(kernel)
        for r in steps.reads[kernel]:
            left[r] -= 1
        for r in steps.reads[kernel]:
            if left[r] == 1:
                self._rate_readers(r)
        self.ready.remove(kernel)
        for k in steps.behind[kernel]:
            self.waiting[k] -= 1
            if not self.waiting[k]:
                self.ready.add(k)

    def untake(self) -> int:
        """Take back the last kernel. ``peak`` stays: a search that goes back has no use for it."""
        kernel = self.taken.pop()
        steps, left = self.steps, self.left
        for k in steps.behind[kernel]:
            if not self.waiting[k]:
                self.ready.remove(k)
            self.waiting[k] += 1
        self.ready.add(kernel)
        for r in steps.reads[kernel]:
            left[r] += 1
        for r in steps.reads[kernel]:
            if left[r] == 2:
                self._rate_readers(r)
        self._done[kernel] = 0
        self.bytes -= self.after[kernel]
        return kernel

    def order(self) -> tuple[int, ...]:
        """Ids of the kernels taken."""
        return tuple(self.steps.ids[k] for k in self.taken)

    def _rate_readers(self, instance: int) -> None:
        for k in self.steps.readers[instance]:
            if not self._done[k]:  # what has run is rated as it was when it ran, to be taken back
                self._rate(k)

    def _rate(self, kernel: int) -> None:
        steps, left, pinned = self.steps, self.left, self.steps.live.pinned
        dying = tuple([r for r in steps.reads[kernel] if left[r] == 1 and r not in pinned])
        self.during[kernel], self.after[kernel] = steps.rate(kernel, dying)
