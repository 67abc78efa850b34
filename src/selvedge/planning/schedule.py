"""The plan: programs over one state and one arena, every byte accounted for. Values only; nothing here decides."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .kernel import ARENA, FLASH, STATE, Instance, Kernel
from .trade import Saved


@dataclass(frozen=True, slots=True)
class Compute:
    """Run a kernel (by id)."""

    kernel: int


@dataclass(frozen=True, slots=True)
class Free:
    """From here on nothing reads this instance; the checking build poisons it."""

    instance: int


Event = Compute | Free


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a state array lives. ``offset`` counts from the start of the arena (``state``) or of the weights
    (``flash``); ``initial`` is where a trainable array's initial value lies in the weights."""

    name: str
    region: str
    offset: int
    bytes: int
    dtype: str
    shape: tuple[int, ...]
    kind: str
    initial: int


@dataclass(frozen=True, slots=True)
class Program:
    """One entry point.

    offsets: instance id -> byte offset in its region (arena offsets count from the start, so they lie behind the
    persistent bytes). sizes: the bytes reserved there. bound_bytes: the largest sum of live transient bytes in this
    order; any_order_bytes: a bound over all orders of these kernels; placed_bound_bytes: a bound over all offsets in
    this order, each buffer aligned as it is. Every bound comes from a relaxation, a whole search or a solver's dual.
    storage_bytes: what it writes to storage and reads back lies in so many bytes there. saved: what it gave for fewer
    bytes of RAM, None where nothing.
    """

    name: str
    kernels: Mapping[int, Kernel]
    instances: Mapping[int, Instance]
    schedule: tuple[Event, ...]
    offsets: Mapping[int, int]
    sizes: Mapping[int, int]
    after: Mapping[int, frozenset[int]]
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    updates: Mapping[str, int]
    gate: int | None
    transient_bytes: int
    bound_bytes: int
    any_order_bytes: int
    nodes: int
    macs: int
    bytes_moved: int
    seconds: float | None
    joules: float | None
    placed_bound_bytes: int = 0
    storage_bytes: int = 0
    saved: Saved | None = None

    @property
    def gap(self) -> float:
        """By how much of the bound over all orders the transient bytes lie above it: 0 where nothing better exists."""
        return self.transient_bytes / self.any_order_bytes - 1 if self.any_order_bytes else 0.0

    @property
    def proven(self) -> bool:
        """No order and no offsets need fewer transient bytes."""
        return self.transient_bytes <= self.any_order_bytes

    def order(self) -> list[int]:
        return [e.kernel for e in self.schedule if isinstance(e, Compute)]


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of the whole plan. arena = persistent + transient. weights: frozen and initial values, exact. code: an
    estimate of the compiled programs on a microcontroller. flash = weights + code. storage: what is paged out lies in
    so many bytes of the device's storage."""

    persistent: int
    transient: int
    weights: int
    code: int
    bound: int
    any_order: int
    storage: int = 0

    @property
    def arena(self) -> int:
        return self.persistent + self.transient

    @property
    def flash(self) -> int:
        return self.weights + self.code


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of the plan's "why"."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Arrangement:
    """All programs placed over one arena. ``values``: the arrays of ``constants``, by name."""

    programs: Mapping[str, Program]
    slots: Mapping[str, Slot]
    constants: Mapping[str, Slot]
    values: Mapping[str, np.ndarray]
    memory: Memory
    align: int
    lanes: int
    dtype: str
    choices: tuple[Choice, ...] = field(default=())

    @property
    def backward(self) -> Program:
        """The program that makes gradients: step, or accumulate."""
        return self.programs["accumulate" if "accumulate" in self.programs else "step"]

    @property
    def largest(self) -> tuple[Program, ...]:
        """The programs for the largest inputs; the names of those for smaller ones end in their sizes."""
        return tuple(p for name, p in self.programs.items() if "_" not in name)

    def digest(self) -> str:
        """Identity of the compiled code: equal for equal calls at equal places."""
        text = repr(
            [
                (p.name, [_identity(p.kernels[i]) for i in p.order()],
                 sorted(p.offsets.items()), sorted(p.inputs.items()), sorted(p.outputs.items()), p.gate)
                for p in self.programs.values()
            ]
        ) + repr([self.slots, self.constants, self.align, self.lanes, self.dtype])  # fmt: skip
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _identity(k: Kernel) -> tuple[object, ...]:
    """What the code of a kernel is printed from."""
    inner = (*(_identity(i) for i in k.inner), *((w.value.id, w.offset, w.over) for w in k.windows))
    return (k.family, k.reads, k.writes, sorted(k.params.items()), k.expression, k.reduction, k.tile, k.scratch,
            k.producer_reads, *inner)  # fmt: skip


__all__ = ["ARENA", "FLASH", "STATE", "Arrangement", "Choice", "Compute", "Event", "Free", "Memory", "Program", "Slot"]
