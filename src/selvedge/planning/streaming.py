"""Which runs of kernels to stream, and how many rows a step: the lowest peak first, then the least work.

Along one order of the kernels every run that could be streamed has a price: the bytes live while it runs, and the bytes
that it moves. The cheapest way to cut the order into runs and single kernels is found by dynamic programming over its
positions; the room that is left decides how low a program has to go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from .bound import bound_of_any_order, bounds_while_running
from .kernel import Kernel, Lowered
from .order import Replay, liveness
from .rows import row_local
from .search import lowest_peak
from .stream import Run, stream

ROWS = (1, 2, 4, 8)  # rows of the last result that a step makes
LONGEST = 40  # kernels of one run
CALL = 256  # a call of a native kernel takes as long as moving so many bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """Positions [start, stop) of the order: ``members`` as one kernel that makes ``rows`` rows a step, after the
    others; or (rows 0) a kernel as it is. bytes: live at most while that runs. work: bytes moved and calls begun."""

    start: int
    stop: int
    bytes: int
    work: int
    rows: int = 0
    members: tuple[int, ...] = ()


def streamed(lowered: Lowered, target: int) -> Lowered:
    """``lowered`` streamed so that at most ``target`` bytes are live, or where that cannot be as few as can be, with
    the least work that does it."""
    order = _Order(lowered)
    return order.streamed(max(target, order.lowest()))


class _Order:
    """A program in the order of its lowest peak, with every run of it that could be streamed."""

    def __init__(self, lowered: Lowered) -> None:
        self.lowered = lowered
        self.live = liveness(lowered)
        kernels = {k.id: k for k in lowered.kernels}
        self.order = [kernels[k] for k in lowest_peak(lowered, bound_of_any_order(lowered))]
        self.before: list[int] = []
        self.alone: list[Piece] = []
        replay = Replay(lowered, self.live)
        for at, kernel in enumerate(self.order):
            self.before.append(replay.bytes)
            self.alone.append(Piece(at, at + 1, replay.effect(kernel.id)[0], 0))
            replay.take(kernel.id)
        self.instances = {i.id: i for i in lowered.instances}
        self.last_read = {r: at for at, kernel in enumerate(self.order) for r in kernel.reads}
        self.first_read = {r: at for at, kernel in reversed(list(enumerate(self.order))) for r in kernel.reads}
        self.kept = frozenset((*lowered.outputs.values(), *lowered.updates.values()))
        # No cut has a lower peak: what cannot be streamed finds so much in memory whatever comes first.
        least = bounds_while_running(lowered)
        stays = (least[k.id] for k in self.order if row_local(k, lambda i: self.instances[i].spec) is None)
        self.floor = max(sum(self.live.size[i] for i in self.live.inputs), *stays, 0)
        self.pieces = [list(self._ending(at + 1)) for at in range(len(self.order))]

    def lowest(self) -> int:
        """The lowest peak of any cut."""
        peaks = [self.floor]
        for stop in range(1, len(self.order) + 1):
            peaks.append(min(max(peaks[p.start], p.bytes) for p in self.pieces[stop - 1]))
        return peaks[-1]

    def streamed(self, target: int) -> Lowered:
        """The cut of least work whose peak is at most ``target``."""
        best: list[tuple[int, Piece | None] | None] = [(0, None)]
        for stop in range(1, len(self.order) + 1):
            found = [
                (before[0] + p.work, p)
                for p in self.pieces[stop - 1]
                if p.bytes <= target and (before := best[p.start]) is not None
            ]
            best.append(min(found, key=lambda f: f[0], default=None))
        chosen: list[Piece] = []
        stop = len(self.order)
        while stop:
            here = best[stop]
            assert here is not None
            assert here[1] is not None
            chosen.append(here[1])
            stop = here[1].start
        runs = [p for p in chosen if p.rows]
        if not runs:
            return self.lowered
        # In the order of the cut: it is the natural one from now on, and no search ends above it.
        result = replace(self.lowered, kernels=tuple(self.order))
        for piece in runs:
            result = stream(result, piece.members, piece.rows)
        return result

    def _ending(self, stop: int) -> Iterator[Piece]:
        """The last kernel before ``stop`` alone, and every run worth looking at that ends with it."""
        yield self.alone[stop - 1]
        high = [at for at in range(max(0, stop - LONGEST), stop) if self.alone[at].bytes > self.floor]
        if not high:
            return
        ceiling = max(p.bytes for p in self.alone)
        outside = self.kept | {i for i, at in self.last_read.items() if at >= stop}
        for rows in ROWS:
            run = Run(rows, self.instances, outside)
            first: list[Kernel] = []  # what lies between the run's kernels and can be done before them
            waits: set[int] = set()  # ... and what that has to follow
            for start in range(stop - 1, max(-1, stop - 1 - LONGEST), -1):
                kernel = self.order[start]
                if kernel.id in waits or not run.prepend(kernel):
                    if not run.members:
                        break
                    first.append(kernel)
                    waits |= self.lowered.after[kernel.id]
                    continue
                if run.scratch >= ceiling or (rows > 1 and run.members[-1].local.rows < 2 * rows):
                    break
                if len(run.members) > 1 and high[-1] >= start:
                    yield self._piece(run, first, start, stop)

    def _piece(self, run: Run, first: Sequence[Kernel], start: int, stop: int) -> Piece:
        size = self.live.size
        made = sum(size[w] for m in run.members for w in m.kernel.writes if w not in run.windows)
        before = self.before[start] + sum(size.get(w, 0) for k in first for w in k.writes)
        inside = {w for m in run.members for w in m.kernel.writes}
        beside = {r for k in first for r in k.reads}
        taken = (
            r
            for r in {r for m in run.members for r in m.kernel.reads} - inside - beside - self.kept
            if r in size and self.last_read[r] < stop and self.first_read[r] >= start
        )
        live = before + made + run.scratch - run.overlay(taken)[0]
        alone = max((before + size.get(k.scratch or -1, 0) for k in first), default=0)
        calls = len(run.members[0].made) * run.members[0].local.images * len(run.members)
        members = tuple(m.kernel.id for m in run.members)
        return Piece(start, stop, max(live, alone), run.moved + CALL * calls, run.rows, members)
