"""The nouns of a lowered program: instances (where a value lives) and kernels (one call into native code).

Nothing here decides anything. The planner makes these values, the independent checker and the emitters read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..ir.graph import Spec

ARENA, STATE, FLASH = "arena", "state", "flash"


@dataclass(frozen=True, slots=True)
class Instance:
    """A value that occupies bytes.

    region: ``arena`` (transient), ``state`` (trainable or optimiser state: persistent RAM) or ``flash`` (frozen).
    state: the state name for the last two; version: 0 before the update of this program, 1 after it. of: the instance
    whose value this one holds again, made or read back a second time.
    """

    id: int
    label: str
    spec: Spec
    region: str = ARENA
    state: str | None = None
    version: int = 0
    of: int | None = None


@dataclass(frozen=True, slots=True)
class Literal:
    """A scalar constant inside an expression."""

    value: float


@dataclass(frozen=True, slots=True)
class Temp:
    """Result of an earlier step of the same expression."""

    index: int


@dataclass(frozen=True, slots=True)
class Operand:
    """A read inside an expression: position in the kernel's ``reads`` and the stride in elements per loop axis.

    ``raw`` marks the tile that the kernel's producer has just made (it is no read of the kernel). ``block``: one
    element for so many of the loops', which ``strides`` number (0: one for each). packed: bits, eight to a byte, which
    ``strides`` number.
    """

    read: int
    strides: tuple[int, ...]
    raw: bool = False
    block: int = 0
    packed: bool = False


Argument = Literal | Temp | Operand


@dataclass(frozen=True, slots=True)
class Step:
    """One elementwise operation of an expression; ``attrs`` as sorted pairs."""

    op: str
    args: tuple[Argument, ...]
    attrs: tuple[tuple[str, Any], ...] = ()


Into = tuple[tuple[int, tuple[int, ...]], ...]  # (position in the kernel's writes, its stride per loop axis)


@dataclass(frozen=True, slots=True)
class Expression:
    """A fused chain of elementwise operations over loops of ``extents`` (row-major, collapsed).

    results: pairs of (position in the kernel's ``writes``, index of the step that makes it). scales: the same, of the
    scales of the steps that quantise, whose codes are in ``results``. block: the loops go by blocks of so many elements
    (0: they do not). into: the results that are a part of a state, written where the whole lies and with its strides;
    every other result is dense.
    """

    extents: tuple[int, ...]
    steps: tuple[Step, ...]
    results: tuple[tuple[int, int], ...]
    scales: tuple[tuple[int, int], ...] = ()
    block: int = 0
    into: Into = ()


@dataclass(frozen=True, slots=True)
class Reduction:
    """``out[a, b] = reduce over r of value[a, r, b]``; value is step ``step`` of the expression.

    ``split``: number of collapsed loop axes that belong to a, r and b.
    """

    kind: str  # "sum" | "max"
    step: int
    split: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Tile:
    """A producer makes its output ``units_per_tile`` units at a time, each of ``unit`` elements; the expression follows
    on each tile while it is in the cache. ``staged``: the tile is scratch, so that results may overwrite operands."""

    unit: int
    units: int
    units_per_tile: int
    staged: bool

    @property
    def elements(self) -> int:
        return self.unit * self.units_per_tile


@dataclass(frozen=True, slots=True)
class Window:
    """A value of which a streamed run of kernels holds only rows: ``rows`` of one image, from byte ``offset`` of the
    run's scratch on, the first row held in front. ``over``: the value whose rows this one's are made in (its reader
    overwrites them element by element): then it has no place of its own."""

    value: Instance
    rows: int
    offset: int
    over: int | None = None


@dataclass(frozen=True, slots=True)
class Kernel:
    """One call. ``reads``/``writes`` are instance ids; ``producer_reads`` counts how many of the first reads belong to
    the producer (the rest are operands of the expression). ``inplace``: pairs (write position, read position) that may
    share bytes when the read dies here. ``overlay``: triples (write position, read position, bytes): the write may
    begin so many bytes or more before the read, wherever it ends, when the read dies here.

    ``inner``: the kernels that a kernel of family "stream" runs, rows by rows (planning/stream.py says how), and
    ``windows`` what lies between them.
    """

    id: int
    family: str
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    producer_reads: int = 0
    scratch: int | None = None
    expression: Expression | None = None
    reduction: Reduction | None = None
    tile: Tile | None = None
    inplace: tuple[tuple[int, int], ...] = ()
    macs: int = 0
    label: str = ""
    where: str = ""
    overlay: tuple[tuple[int, int, int], ...] = ()
    inner: tuple[Kernel, ...] = ()
    windows: tuple[Window, ...] = ()

    @property
    def touches(self) -> tuple[int, ...]:
        """Every instance that must be in memory while this kernel runs."""
        own = (self.scratch,) if self.scratch is not None else ()
        return tuple(dict.fromkeys((*self.reads, *self.writes, *own)))


@dataclass(frozen=True, slots=True)
class Lowered:
    """A graph of kernels: fixed before anything is ordered or placed.

    after: kernel id -> ids that must have run (data, weight versions, the gate).
    inputs/outputs: name -> instance id. updates: state name -> instance id of its new version.
    """

    kernels: tuple[Kernel, ...]
    instances: tuple[Instance, ...]
    after: Mapping[int, frozenset[int]]
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    updates: Mapping[str, int]
    gate: int | None  # the instance that must be finite before the first update
    constants: Mapping[int, np.ndarray]  # instance id -> value of a constant array
