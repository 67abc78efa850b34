"""A run of row-local kernels as one kernel of family "stream": what lies between them never exists whole.

For each image, step after step: the last kernel makes ``rows`` more rows; every kernel before it as many as its readers
in the run need for theirs (in the last step all, where something outside the run reads its result too). Then each
window drops the rows that no reader will read again and moves the others to its front. Every kernel makes each element
as it does alone, from the same operands in the same order: only where the rows lie is different.

The rows are kept rather than made again as in patch-wise inference (Lin et al., *MCUNetV2: memory-efficient patch-based
inference for tiny deep learning*, NeurIPS 2021, section 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ..ir.graph import ITEM_BYTES, Spec
from .kernel import ARENA, Instance, Kernel, Lowered, Tile, Window
from .rows import RowLocal, Taps, row_local

Steps = npt.NDArray[np.int64]  # a number for every step of one image


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A kernel of a run. made: rows of one image that it has made at the end of each step; before: at its start."""

    kernel: Kernel
    local: RowLocal
    made: Steps
    before: Steps


@dataclass(slots=True)
class Run:
    """Kernels that follow each other in some order, built from the last one backwards (:meth:`prepend`).

    outside: instances that something beside the run needs of what it makes.
    """

    rows: int
    instances: Mapping[int, Instance]
    outside: frozenset[int]
    members: list[Member] = field(default_factory=list)  # the first kernel first
    windows: dict[int, Window] = field(default_factory=dict)  # offsets are given at the end
    kept: int = 0  # bytes of windows
    tile: int = 0  # bytes of the largest staged tile
    moved: int = 0  # bytes moved to the front of windows, over all images
    readers: dict[int, list[tuple[Member, Taps | None]]] = field(default_factory=dict)

    def prepend(self, kernel: Kernel) -> bool:
        """Put ``kernel`` before the others; False, and nothing changed, where it cannot be part of this run."""
        local = row_local(kernel, lambda i: self.instances[i].spec)
        if local is None or any(self.instances[w].region != ARENA for w in kernel.writes):
            return False
        if self.members and local.images != self.members[0].local.images:
            return False
        readers = {w: self.readers.get(w, []) for w in kernel.writes}
        lines = (local.images, local.rows)
        if any(t is None or (local.images, t.rows) != lines for found in readers.values() for _, t in found):
            return False
        made = self._made(kernel, local, readers)
        before = np.concatenate(([0], made[:-1]))
        self.members.insert(0, Member(_fitted(kernel, local, made - before), local, made, before))
        for read, taps in zip(kernel.reads, local.taps, strict=True):
            self.readers.setdefault(read, []).append((self.members[0], taps))
        tile = self.members[0].kernel.tile
        if tile is not None and tile.staged:
            item = ITEM_BYTES[self.instances[kernel.writes[0]].spec.dtype]
            self.tile = max(self.tile, tile.elements * item)
        for w in kernel.writes:
            if w not in self.outside:
                self._window(w, local, made, before, readers[w])
        return True

    def apart(self, read: int, write: int, element: bool = False) -> int:
        """Bytes from the first of ``write``, made whole, to the first of ``read``, from which on the one may lie over
        the other: no row is written over one that is still to be read. element: what is read element by element makes
        way for what is made of it, so that 0 stands for exactly the same place."""
        target, lines = {write}, {}
        while more := {v for v, w in self.windows.items() if w.over in target} - target:
            target |= more
        readers = self.readers[read]
        for value, rows in ((write, self._rows_made(write)), (read, readers[0][1].rows if readers[0][1] else 1)):
            lines[value] = self.instances[value].spec.bytes // (self.members[0].local.images * rows)
        most = 0
        turn = {m: j for j, m in enumerate(self.members)}
        for k, writer in enumerate(self.members):
            if target.isdisjoint(writer.kernel.writes):
                continue
            for member, taps in readers:
                assert taps is not None
                j = turn[member]
                needed = _start(taps, member.made if j < k else member.before)
                if j < k:
                    needed = np.where(member.made == member.local.rows, taps.rows, needed)
                if j == k and element and taps.element:
                    needed = member.made
                for image in (0, member.local.images - 1):
                    end = (image * writer.local.rows + writer.made) * lines[write]
                    first = (image * taps.rows + needed) * lines[read]
                    most = max(most, int((end - first)[writer.made > writer.before].max(initial=0)))
        return most

    def overlay(self, reads: Iterable[int]) -> tuple[int, int, int, int]:
        """(bytes shared, write, read, bytes apart) of the result that can take most of the room of one of ``reads``:
        operands that nothing else reads; all 0 if none can."""
        best = (0, 0, 0, 0)
        made = {w for m in self.members for w in m.kernel.writes}
        for write in made - set(self.windows):
            for read in reads:
                if any(t is None for _, t in self.readers[read]):
                    continue
                a, b = self.instances[write].spec.bytes, self.instances[read].spec.bytes
                if min(a, b) > best[0]:
                    apart = self.apart(read, write)
                    best = max(best, (min(a - apart, b), write, read, apart))
        return best

    def _rows_made(self, value: int) -> int:
        return next(m.local.rows for m in self.members if value in m.kernel.writes)

    @property
    def scratch(self) -> int:
        """Bytes: the tile, then the windows."""
        return self.tile + self.kept

    def _made(self, kernel: Kernel, local: RowLocal, readers: Mapping[int, list[tuple[Member, Taps | None]]]) -> Steps:
        if not self.members:
            ends = range(self.rows, local.rows + self.rows, self.rows)
            return np.minimum(np.array(ends, np.int64), local.rows)
        made = np.zeros_like(self.members[0].made)
        for member, taps in (r for found in readers.values() for r in found):
            assert taps is not None
            made = np.maximum(made, _stop(taps, member.made))
        if not self.outside.isdisjoint(kernel.writes):
            made[-1] = local.rows
        return made

    def _window(
        self, value: int, local: RowLocal, made: Steps, before: Steps, readers: list[tuple[Member, Taps | None]]
    ) -> None:
        instance = self.instances[value]
        over = self._over(value, readers)
        if over is not None:
            self.windows[value] = Window(instance, 0, 0, over)
            return
        first = before.copy()  # the first row held in each step
        for member, taps in readers:
            assert taps is not None
            first = np.minimum(first, _start(taps, member.before))
        rows = int((made - first).max())
        line = instance.spec.bytes // (local.images * local.rows)
        self.windows[value] = Window(instance, rows, 0)
        self.kept += rows * line
        moves = first[1:] > first[:-1]
        self.moved += int(((made[:-1] - first[1:]) * moves).sum()) * line * local.images

    def _over(self, value: int, readers: list[tuple[Member, Taps | None]]) -> int | None:
        """What the only reader of ``value``, a loop, may write in its place."""
        if len(readers) != 1 or readers[0][0].kernel.family != "loop":
            return None
        kernel = readers[0][0].kernel
        taken = {w.over for w in self.windows.values()}
        for write, read in kernel.inplace:
            if kernel.reads[read] == value and kernel.writes[write] not in taken:
                return kernel.writes[write]
        return None


def traffic(kernel: Kernel, instances: Mapping[int, Instance]) -> tuple[list[int], int]:
    """How often a streamed kernel calls each of its inner ones, and the bytes that it moves within its windows."""
    run = Run(kernel.params["rows"], instances, frozenset(kernel.writes))
    for k in reversed(kernel.inner):
        run.prepend(k)
    return [int((m.made > m.before).sum()) * m.local.images for m in run.members], run.moved


def _start(taps: Taps, first: Steps) -> Steps:
    return np.minimum(np.maximum(first * taps.stride - taps.pad, 0), taps.rows)


def _stop(taps: Taps, last: Steps) -> Steps:
    end = np.minimum(np.maximum((last - 1) * taps.stride - taps.pad + taps.reach, 0), taps.rows)
    return np.where(last > 0, end, 0)


def _fitted(kernel: Kernel, local: RowLocal, made: Steps) -> Kernel:
    """``kernel`` with tiles no larger than what it makes in one step."""
    tile = kernel.tile
    if tile is None:
        return kernel
    most = max(1, int(made.max()) * local.line)
    return replace(kernel, tile=Tile(tile.unit, tile.units, min(tile.units_per_tile, most), tile.staged))


def outside(lowered: Lowered, run: Sequence[int]) -> frozenset[int]:
    """Instances that a kernel beside ``run`` reads, or that outlive the program."""
    inside = set(run)
    beside = {r for k in lowered.kernels if k.id not in inside for r in k.reads}
    return frozenset(beside | set(lowered.outputs.values()) | set(lowered.updates.values()))


def stream(lowered: Lowered, run: Sequence[int], rows: int) -> Lowered:
    """``lowered`` with the kernels ``run``, which may follow each other in this order, as one that makes ``rows`` rows
    of its last result a step.

    Raises ValueError if one of them does not work row by row, or if a kernel beside them had to come between.
    """
    kernels = {k.id: k for k in lowered.kernels}
    instances = {i.id: i for i in lowered.instances}
    built = Run(rows, instances, outside(lowered, run))
    for k in reversed(run):
        if not built.prepend(kernels[k]):
            raise ValueError(f"kernel {k} ({kernels[k].label}) cannot be streamed in this run")
    number = 1 + max(instances)
    dtype = next(i.spec.dtype for i in instances.values() if i.spec.is_float)
    made = _composite(built, run[-1], number, ITEM_BYTES[dtype])
    gone = {*built.windows, *(kernels[k].scratch for k in run)}
    size = made.params["scratch"]
    scratch = Instance(number, f"scratch.{number}", Spec((size // ITEM_BYTES[dtype],), dtype))
    left = tuple(made if k.id == made.id else k for k in lowered.kernels if k.id == made.id or k.id not in run)
    result = Lowered(
        left,
        (*(i for i in lowered.instances if i.id not in gone), *((scratch,) if size else ())),
        _after(lowered, run),
        lowered.inputs,
        lowered.outputs,
        lowered.updates,
        lowered.gate,
        lowered.constants,
    )
    _refuse_cycles(result)
    return result


def _composite(run: Run, kernel: int, scratch: int, item: int) -> Kernel:
    inner = tuple(replace(m.kernel, scratch=None) for m in run.members)
    made = {w for k in inner for w in k.writes}
    reads = tuple(dict.fromkeys(r for k in inner for r in k.reads if r not in made))
    writes = tuple(w for k in inner for w in k.writes if w not in run.windows)
    at, windows = run.tile, []
    images = run.members[0].local.images
    rows_of = {w: m.local.rows for m in run.members for w in m.kernel.writes}
    # Numbers first, then bytes: no window needs padding to be aligned.
    for v in sorted(run.windows, key=lambda v: -ITEM_BYTES[run.windows[v].value.spec.dtype]):
        w = run.windows[v]
        windows.append(w if w.over is not None else replace(w, offset=at))
        at += w.rows * (w.value.spec.bytes // (images * rows_of[v]))
    params = {"rows": run.rows, "images": images, "tile": run.tile, "scratch": -(-at // item) * item}
    labels = [k.label for k in inner]
    own = [r for r in reads if r not in run.outside and run.instances[r].region == ARENA]
    shared, write, read, apart = run.overlay(own)
    overlay = ((writes.index(write), reads.index(read), apart),) if shared > 0 else ()
    return Kernel(
        kernel,
        "stream",
        reads,
        writes,
        params,
        producer_reads=len(reads),
        scratch=scratch if at else None,
        macs=sum(k.macs for k in inner),
        label=f"{len(inner)} kernels by rows: {labels[0]} to {labels[-1]}",
        where=inner[0].where,
        inplace=_inplace(run, reads, writes, own),
        overlay=overlay,
        inner=inner,
        windows=tuple(windows),
    )


def _inplace(run: Run, reads: Sequence[int], writes: Sequence[int], own: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Pairs (write, read) that may lie in exactly the same place."""
    found = []
    for w, write in enumerate(writes):
        for read in own:
            spec, taken = run.instances[write].spec, run.instances[read].spec
            if spec.bytes == taken.bytes and spec.size == taken.size and run.apart(read, write, element=True) == 0:
                found.append((w, reads.index(read)))
    return tuple(found)


def _after(lowered: Lowered, run: Sequence[int]) -> dict[int, frozenset[int]]:
    inside, one = set(run), run[-1]
    after = {
        k: frozenset(one if a in inside else a for a in before)
        for k, before in lowered.after.items()
        if k not in inside
    }
    after[one] = frozenset(a for k in run for a in lowered.after[k]) - inside
    return after


def _refuse_cycles(lowered: Lowered) -> None:
    waiting = {k: set(a) for k, a in lowered.after.items()}
    while waiting:
        ready = [k for k, a in waiting.items() if a.isdisjoint(waiting)]
        if not ready:
            raise ValueError("a kernel beside the run has to come between its kernels")
        for k in ready:
            del waiting[k]
