"""The independent check of a streamed run: replays, byte by byte, what the emitted loop does with its windows.

It knows what the native kernels read for a row and what ``native/stream.h`` says about steps, and nothing of how the
planner came to its windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from ..ir.graph import Spec
from .kernel import Kernel, Operand, Window

NOTHING, TILE = -1, -2


class BadStream(RuntimeError):
    """What is wrong with a streamed kernel."""


@dataclass(frozen=True, slots=True)
class _Read:
    """One operand of an inner kernel. step None: every row reads all of it. Otherwise output row y reads the rows
    y * step - pad + i * gap, i < taps, of ``rows``. element: element by element, each before the same one is written.
    """

    value: int
    step: int | None = None
    pad: int = 0
    gap: int = 1
    taps: int = 1
    rows: int = 0
    element: bool = False

    def of(self, y: int) -> list[int]:
        assert self.step is not None
        found = (y * self.step - self.pad + i * self.gap for i in range(self.taps))
        return [row for row in found if 0 <= row < self.rows]

    def stop(self, last: int) -> int:
        assert self.step is not None
        end = (last - 1) * self.step - self.pad + (self.taps - 1) * self.gap + 1
        return max(0, min(self.rows, end)) if last else 0

    def start(self, first: int) -> int:
        assert self.step is not None
        return max(0, min(self.rows, first * self.step - self.pad))


def check_stream(kernel: Kernel, specs: Mapping[int, Spec], offsets: Mapping[int, int], size: int, item: int) -> None:
    """Raise :class:`BadStream` unless ``kernel`` reads what was written and keeps its scratch to the byte.

    specs: of what it reads and writes whole, and of its windows' values. offsets: where the former lie, if in the
    arena. size: bytes of its scratch; item: of a real.
    """
    _Replay(kernel, specs, offsets, size, item).run()


class _Replay:
    def __init__(
        self, kernel: Kernel, specs: Mapping[int, Spec], offsets: Mapping[int, int], size: int, item: int
    ) -> None:
        self.kernel, self.specs, self.offsets, self.size, self.item = kernel, specs, offsets, size, item
        self.windows: dict[int, Window] = {w.value.id: w for w in kernel.windows}
        self.images, self.step = kernel.params["images"], kernel.params["rows"]
        self.rows = [self._rows(k) for k in kernel.inner]
        self.reads = [self._reads(k, rows) for k, rows in zip(kernel.inner, self.rows, strict=True)]
        self.maker = {w: j for j, k in enumerate(kernel.inner) for w in k.writes}
        self.scratch = np.full(size, NOTHING, np.int64)
        self.top = 0
        self.most = dict.fromkeys(self.windows, 0)
        self.base: dict[int, int] = {}
        self.whole = {w: np.full(self.images * self.rows[self.maker[w]], NOTHING) for w in kernel.writes
                      if w in self.maker}  # fmt: skip
        self.eaten = {
            r: np.zeros(specs[r].bytes, bool)
            for r in kernel.reads
            if any(self._apart(r, w) is not None for w in kernel.writes)
        }

    def run(self) -> None:
        self._shape()
        for image in range(self.images):
            self._image(image)
        for w, held in self.whole.items():
            if (held != w).any():
                raise BadStream(f"does not make all of {self._name(w)}")
        for i, window in self.windows.items():
            if window.over is None and window.rows != self.most[i]:
                raise BadStream(f"holds {self.most[i]} rows of {self._name(i)} at most, its window has {window.rows}")
        if -(-self.top // self.item) * self.item != self.size:
            raise BadStream(f"uses {self.top} bytes of its scratch, which has {self.size}")

    # -- what must hold before anything runs ------------------------------------------------------------------------

    def _shape(self) -> None:
        k = self.kernel
        made = [w for one in k.inner for w in one.writes]
        if self.step < 1 or len(made) != len(set(made)):
            raise BadStream("makes no progress, or a value twice")
        if {*made} - {*self.windows} != {*k.writes} or not {*self.windows} <= {*made}:
            raise BadStream("has other results than its inner kernels")
        if {r for one in k.inner for r in one.reads} - {*made} != {*k.reads}:
            raise BadStream("has other operands than its inner kernels")
        for j, reads in enumerate(self.reads):
            for read in reads:
                self._read_shape(j, read)
        for w in self.windows.values():
            if w.over is not None:
                self._over_shape(w)
            elif w.offset % np.dtype(w.value.spec.dtype).itemsize:
                raise BadStream(f"does not align the window of {self._name(w.value.id)}")
        for one in k.inner:
            tile = one.tile
            if tile is not None and tile.staged and tile.elements * self.item > k.params["tile"]:
                raise BadStream(f"stages more for {one.label} than its {k.params['tile']} bytes of tile")

    def _read_shape(self, j: int, read: _Read) -> None:
        maker = self.maker.get(read.value)
        if read.step is None:
            if maker is not None:
                raise BadStream(f"reads {self._name(read.value)} whole, of which there are only rows")
        elif maker is not None and (maker >= j or self.rows[maker] != read.rows):
            raise BadStream(f"reads {self._name(read.value)} before it is made, or by other rows")
        elif self.specs[read.value].size % (self.images * read.rows):
            raise BadStream(f"reads {self._name(read.value)} by rows that it does not have")

    def _over_shape(self, w: Window) -> None:
        """What is made in the rows of another value has one reader, which makes that value element by element."""
        value, over = w.value.id, w.over
        readers = [(j, r) for j, reads in enumerate(self.reads) for r in reads if r.value == value]
        fine = over is not None and len(readers) == 1 and readers[0][1].element and over in self.maker
        if not fine or over is None or self.maker[over] != readers[0][0] or self._line(value) != self._line(over):
            raise BadStream(f"makes {self._name(value)} in the rows of what is not made from it element by element")
        if sum(other.over == over for other in self.windows.values()) > 1:
            raise BadStream(f"makes two values in the rows of {self._name(over)}")

    def _rows(self, k: Kernel) -> int:
        if k.family in ("conv2d", "depthwise"):
            images, rows = k.params["n"], k.params["oh"]
        else:
            shape = self.specs[k.writes[0]].shape
            images, rows = shape[:2] if k.family == "loop" and len(shape) == 4 else (0, 0)
        lines = images * rows
        if images != self.images or not rows or any(self.specs[w].size % lines for w in k.writes):
            raise BadStream(f"runs {k.label}, which does not work row by row over {self.images} images")
        return int(rows)

    def _reads(self, k: Kernel, rows: int) -> list[_Read]:
        found = []
        if k.producer_reads:
            p = k.params
            found = [_Read(k.reads[0], p["sh"], p["ph"], p["dh"], p["kh"], p["h"])]
            found += [_Read(r) for r in k.reads[1 : k.producer_reads]]
        e = k.expression
        if e is None:
            return found
        dense = tuple(prod(e.extents[d + 1 :]) for d in range(len(e.extents)))
        used: dict[int, set[bool]] = {}
        for a in (a for s in e.steps for a in s.args if isinstance(a, Operand)):
            flat = a.strides == dense
            if not flat and any(a.strides):
                column = len(e.extents) == 2 and a.strides == (0, 1)
                if not column or prod(e.extents) % (self.images * rows * e.extents[1]):
                    raise BadStream(f"runs {k.label}, an operand of which is neither flat nor one number a column")
            if not a.raw:
                used.setdefault(a.read, set()).add(flat)
        # A tile that is not staged is made where the result belongs before the operands are read.
        element = k.tile is None or k.tile.staged
        for read, kinds in used.items():
            if len(kinds) > 1:
                raise BadStream(f"runs {k.label}, which reads one operand in two ways")
            flat = kinds == {True}
            found.append(_Read(k.reads[read], 1, rows=rows, element=element) if flat else _Read(k.reads[read]))
        return found

    # -- the loop ---------------------------------------------------------------------------------------------------

    def _image(self, image: int) -> None:
        inner = self.kernel.inner
        done = [0] * len(inner)
        self.base = dict.fromkeys(self.windows, 0)
        while done[-1] < self.rows[-1]:
            goal = [0] * len(inner)
            goal[-1] = min(done[-1] + self.step, self.rows[-1])
            for j in range(len(inner) - 2, -1, -1):
                goal[j] = max((r.stop(goal[i]) for i, r in self._readers(inner[j].writes)), default=0)
                if goal[-1] == self.rows[-1] and not {*inner[j].writes} <= {*self.windows}:
                    goal[j] = self.rows[j]
            for j in range(len(inner)):
                if goal[j] > done[j]:
                    self._run(image, j, done[j], goal[j])
            for i, w in self.windows.items():
                if w.over is None:
                    self._keep(i, min([goal[self.maker[i]], *(r.start(goal[j]) for j, r in self._readers((i,)))]),
                               goal[self.maker[i]])  # fmt: skip
            done = goal

    def _readers(self, values: tuple[int, ...]) -> list[tuple[int, _Read]]:
        return [(j, r) for j, reads in enumerate(self.reads) for r in reads if r.value in values and r.step is not None]

    def _run(self, image: int, j: int, first: int, last: int) -> None:
        kernel = self.kernel.inner[j]
        if kernel.tile is not None and kernel.tile.staged:
            size = kernel.tile.elements * self.item
            self.scratch[:size] = TILE
            self.top = max(self.top, size)
        for read in self.reads[j]:
            for row in self._rows_read(read, first, last):
                self._intact(image, read.value, row, kernel)
        for w in kernel.writes:
            self._write(image, w, first, last)
        own = {self._place(w) for w in kernel.writes}
        for read in self.reads[j]:
            if read.element and self._same_place(read.value, own):
                continue  # each element makes way for the one made of it
            for row in self._rows_read(read, first, last):
                self._intact(image, read.value, row, kernel)

    def _same_place(self, value: int, own: set[int]) -> bool:
        """Do the rows of ``value`` lie exactly where the kernel puts the same rows of a result?"""
        if value not in self.eaten:
            return self._place(value) in own
        over = {w: apart for w in self.kernel.writes if (apart := self._apart(value, w)) is not None}
        return all(w in own and apart == 0 and self.specs[w].bytes == self.specs[value].bytes
                   for w, apart in over.items())  # fmt: skip

    def _rows_read(self, read: _Read, first: int, last: int) -> list[int]:
        if read.step is None:
            return []
        return sorted({row for y in range(first, last) for row in read.of(y)})

    def _write(self, image: int, value: int, first: int, last: int) -> None:
        place, line = self._place(value), self._line(value)
        window = self.windows.get(place)
        if window is None:
            self.whole[place][image * self._of(value) + first : image * self._of(value) + last] = value
            begin = (image * self._of(value) + first) * line
            for r, gone in self.eaten.items():
                apart = self._apart(r, place)
                if apart is not None:
                    gone[max(0, begin - apart) : max(0, begin + (last - first) * line - apart)] = True
            return
        held = last - self.base[place]
        self.most[place] = max(self.most[place], held)
        low = window.offset + (first - self.base[place]) * line
        high = low + (last - first) * line
        if high > self.size:
            raise BadStream(f"writes {self._name(value)} behind its scratch")
        self.top = max(self.top, high)
        for row in range(first, last):
            at = low + (row - first) * line
            self.scratch[at : at + line] = _code(value, row)

    def _intact(self, image: int, value: int, row: int, kernel: Kernel) -> None:
        rows = self._of(value) if value in self.maker else self._external_rows(value)
        line = self.specs[value].bytes // (self.images * rows)
        place = self._place(value)
        window = self.windows.get(place)
        if window is not None:
            at = window.offset + (row - self.base[place]) * line
            fine = row >= self.base[place] and (self.scratch[at : at + line] == _code(value, row)).all()
        elif value in self.maker:
            fine = self.whole[place][image * rows + row] == value
        else:
            begin = (image * rows + row) * line
            fine = value not in self.eaten or not self.eaten[value][begin : begin + line].any()
        if not fine:
            raise BadStream(f"reads row {row} of {self._name(value)} for {kernel.label}: not written, or overwritten")

    def _keep(self, value: int, first: int, last: int) -> None:
        window, line, base = self.windows[value], self._line(value), self.base[value]
        if first > base:
            for row in range(first, last):
                source = window.offset + (row - base) * line
                target = window.offset + (row - first) * line
                self.scratch[target : target + line] = self.scratch[source : source + line].copy()
        self.base[value] = first

    # -- small facts ------------------------------------------------------------------------------------------------

    def _place(self, value: int) -> int:
        """The value in whose rows ``value`` is made: mostly itself."""
        for _ in self.windows:
            window = self.windows.get(value)
            if window is None or window.over is None:
                break
            value = window.over
        return value

    def _of(self, value: int) -> int:
        return self.rows[self.maker[value]]

    def _external_rows(self, value: int) -> int:
        return next(r.rows for reads in self.reads for r in reads if r.value == value and r.step is not None)

    def _line(self, value: int) -> int:
        return self.specs[value].bytes // (int(self.images) * self._of(value))

    def _apart(self, read: int, write: int) -> int | None:
        """Bytes from the write's first to the read's, where the two overlap; None where they do not."""
        if read not in self.offsets or write not in self.offsets:
            return None
        a, b = self.offsets[read], self.offsets[write]
        if a + self.specs[read].bytes <= b or b + self.specs[write].bytes <= a:
            return None
        return a - b

    def _name(self, value: int) -> str:
        label = self.windows[value].value.label if value in self.windows else "instance"
        return f"{label} ({value})"


def _code(value: int, row: int) -> int:
    return (value << 32) + row
