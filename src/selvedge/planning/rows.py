"""Which kernels work row by row, and which rows of its operands a row needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from ..ir.graph import Spec
from .expression import row_major
from .kernel import Expression, Kernel, Operand


@dataclass(frozen=True, slots=True)
class Taps:
    """Output row y of an image reads rows y * stride - pad + [0, reach) of this operand, those that it has: ``rows``.
    ``element``: the expression reads it element by element, each before it writes the same one."""

    stride: int
    pad: int
    reach: int
    rows: int
    element: bool = False

    def start(self, first: int) -> int:
        """The first row that output rows from ``first`` on can read."""
        return min(max(0, first * self.stride - self.pad), self.rows)

    def stop(self, last: int) -> int:
        """One past the last row that output rows before ``last`` read."""
        return min(max(0, (last - 1) * self.stride - self.pad + self.reach), self.rows) if last > 0 else 0


@dataclass(frozen=True, slots=True)
class RowLocal:
    """A kernel whose every result has ``images`` images of ``rows`` rows, each made from few rows of each operand.

    taps: by read position; None for what every row reads whole, such as weights. line: units of its tile in one row.
    """

    images: int
    rows: int
    taps: tuple[Taps | None, ...]
    line: int


def row_local(kernel: Kernel, spec: Callable[[int], Spec]) -> RowLocal | None:
    """How ``kernel`` works row by row; None if it does not, or if an image is one row."""
    p = kernel.params
    if kernel.family in ("conv2d", "depthwise"):
        images, rows = p["n"], p["oh"]
        own: tuple[Taps | None, ...] = (Taps(p["sh"], p["ph"], (p["kh"] - 1) * p["dh"] + 1, p["h"]), None)
        line = p["ow"] if kernel.family == "conv2d" else 1
    elif kernel.family == "loop" and len(spec(kernel.writes[0]).shape) == 4:
        images, rows, own, line = *spec(kernel.writes[0]).shape[:2], (), 0
    else:
        return None
    if rows < 2 or any(spec(w).size % (images * rows) for w in kernel.writes):
        return None
    rest = _operands(kernel, images, rows)
    return RowLocal(images, rows, own + rest, line) if rest is not None else None


def _operands(kernel: Kernel, images: int, rows: int) -> tuple[Taps | None, ...] | None:
    """Taps of the expression's operands: flat ones, a number per column, single numbers; None if there are others."""
    count = len(kernel.reads) - kernel.producer_reads
    e = kernel.expression
    if e is None:
        return () if count == 0 else None
    if prod(e.extents) % (images * rows):
        return None
    flat = Taps(1, 0, 1, rows, element=kernel.tile is None or kernel.tile.staged)
    found: dict[int, Taps | None] = {}
    for a in (a for step in e.steps for a in step.args if isinstance(a, Operand)):
        taps = flat if a.strides == row_major(e.extents) else None
        if a.raw:
            continue
        if a.packed:  # a row need not begin with a byte
            return None
        if taps is None and any(a.strides) and not _per_column(e, a, images * rows):
            return None
        if found.setdefault(a.read, taps) != taps:
            return None
    return tuple(found[i] for i in range(kernel.producer_reads, len(kernel.reads)))


def _per_column(e: Expression, operand: Operand, lines: int) -> bool:
    return len(e.extents) == 2 and operand.strides == (0, 1) and prod(e.extents) // lines % e.extents[1] == 0
