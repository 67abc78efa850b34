"""What a plan really uses: measured from memory that was painted before, never from the plan's own numbers.

The checking build calls back before and after every kernel. Each kernel may change only its results and its scratch;
freed bytes are poisoned with NaN; guard zones lie around the arena. The program runs with two different paints, so that
a byte counts as used unless both runs left it as it was.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..artifact.native import native_stack_probe
from ..emitting.c import Bundle
from ..planning.kernel import ARENA, FLASH
from ..planning.schedule import Arrangement, Compute, Free, Program
from ..run.build import build
from ..run.library import OK, Library, aligned
from ..run.storage import opened

GUARD = 4096
PAINTS = (0xA5, 0x5A)
POISON = 0xFF
STACK = 1 << 20
WORD = 8  # bytes compared at a time: what a kernel left alone is most of a large arena


@dataclass(frozen=True, slots=True)
class Measured:
    """arena: one past the highest byte touched, over all programs; transient: the same, by program, behind the
    persistent bytes. stack: bytes by program. faults: what went wrong on the way - writes outside a kernel's results,
    non-zero statuses, a stack that could not be measured. The figures mean something only where there are none."""

    arena: int
    transient: Mapping[str, int]
    stack: Mapping[str, int]
    faults: tuple[str, ...]


@dataclass
class _Watch:
    """One arena between guards, and what has been touched in it. before: all of it as it was when the last kernel was
    done, with what was poisoned since."""

    plan: Arrangement
    paint: int
    whole: np.ndarray = field(init=False)
    before: np.ndarray = field(init=False)
    touched: np.ndarray = field(init=False)
    faults: list[str] = field(default_factory=list)
    live: set[int] = field(default_factory=set)
    error: Exception | None = None

    def __post_init__(self) -> None:
        size = self.plan.memory.arena
        self.whole = aligned(GUARD + -(-size // WORD) * WORD + GUARD)
        self.whole[:] = self.paint
        self.touched = np.zeros(size, bool)
        self.before = self.whole.copy()

    @property
    def arena(self) -> np.ndarray:
        return self.whole[GUARD : GUARD + self.plan.memory.arena]

    def range(self, p: Program, i: int) -> slice:
        return slice(p.offsets[i], p.offsets[i] + p.sizes[i])

    def hook(self, program: int, event: int) -> None:
        try:
            p = list(self.plan.programs.values())[program]
            if event < 0:
                self._after(p, -1 - event)
        except Exception as error:  # ctypes would swallow it
            self.error = error

    def _after(self, p: Program, event: int) -> None:
        compute = p.schedule[event]
        assert isinstance(compute, Compute)
        kernel = p.kernels[compute.kernel]
        results = [*kernel.writes, *((kernel.scratch,) if kernel.scratch is not None else ())]
        part = self._changed()
        changed = self.whole[part] != self.before[part]
        stray = changed.copy()
        for i in results:
            own = self.range(p, i)
            stray[max(0, GUARD + own.start - part.start) : max(0, GUARD + own.stop - part.start)] = False
        if stray.any():
            byte = int(np.flatnonzero(stray)[0]) + part.start - GUARD
            self.faults.append(f"{p.name}: {kernel.label} changed byte {byte}, which is not its own")
        inside = slice(max(part.start, GUARD), min(part.stop, GUARD + len(self.touched)))
        if inside.start < inside.stop:
            span = slice(inside.start - GUARD, inside.stop - GUARD)
            self.touched[span] |= changed[inside.start - part.start : inside.stop - part.start]
        self.before[part] = self.whole[part]
        self.live.update(results)
        for e in p.schedule[event + 1 :]:
            if not isinstance(e, Free):
                break
            self._free(p, e.instance)

    def _free(self, p: Program, instance: int) -> None:
        """Poison what no live instance has taken over in place."""
        self.live.discard(instance)
        part = self.range(p, instance)
        gone = np.ones(part.stop - part.start, bool)
        for i in self.live:
            if p.instances[i].region != FLASH:
                other = self.range(p, i)
                gone[max(0, other.start - part.start) : max(0, other.stop - part.start)] = False
        self.arena[part][gone] = POISON
        self.before[GUARD + part.start : GUARD + part.stop] = self.arena[part]

    def _changed(self) -> slice:
        """From the first word that differs from ``before`` to the last."""
        words = np.flatnonzero(self.whole.view(np.uint64) != self.before.view(np.uint64))
        return slice(int(words[0]) * WORD, (int(words[-1]) + 1) * WORD) if len(words) else slice(0, 0)

    def start(self, p: Program, values: Mapping[str, np.ndarray]) -> None:
        """Everything but the state painted anew; then the inputs."""
        self.arena[self.plan.memory.persistent :] = self.paint
        self.live = {i.id for i in p.instances.values() if i.region not in (ARENA, FLASH)}
        for name, i in p.inputs.items():
            part = self.range(p, i)
            self.arena[part] = np.ascontiguousarray(values[name]).reshape(-1).view(np.uint8)
            self.touched[part] = True
            self.live.add(i)
        self.before[:] = self.whole

    def guards_broken(self) -> bool:
        outside = np.concatenate([self.whole[:GUARD], self.whole[GUARD + self.plan.memory.arena :]])
        return bool((outside != self.paint).any())


def measure(plan: Arrangement, made: Bundle, cache: str | Path | None = None, seed: int = 0) -> Measured:
    """Build the checking build, run every program of ``plan`` on painted memory, and report what was used."""
    sources = {**made.sources, "stack_probe.c": native_stack_probe()}
    library = build(sources, plan.lanes, plan.dtype, extra=("-DSELVEDGE_CHECK", "-pthread"), cache=cache)
    weights = aligned(max(1, len(made.weights)))
    weights[: len(made.weights)] = np.frombuffer(made.weights, np.uint8)
    faults: list[str] = []
    touched = np.zeros(plan.memory.arena, bool)
    transient: dict[str, int] = {}
    stack: dict[str, int] = {}
    for paint in PAINTS:
        watch = _Watch(plan, paint)
        code = Library(
            library, made.manifest.name, plan.programs, watch.arena, weights, watch.hook, True, _storage(plan)
        )
        code.init()
        touched |= watch.arena != paint
        for name, p in plan.programs.items():
            watch.touched[:] = False
            watch.start(p, inputs(p, made.manifest.classes, seed))
            status = code.call(name)
            if watch.error is not None:
                raise watch.error
            if status != OK:
                faults.append(f"{name}: status {status}")
            high = np.flatnonzero(watch.touched[plan.memory.persistent :])
            transient[name] = max(transient.get(name, 0), int(high[-1]) + 1 if len(high) else 0)
            touched |= watch.touched
        if watch.guards_broken():
            faults.append("a guard zone beside the arena was written")
        faults += watch.faults
    quiet = _Watch(plan, 0)
    code = Library(
        library, made.manifest.name, plan.programs, quiet.arena, weights, checked=True, storage=_storage(plan)
    )
    code.init()
    for name, p in plan.programs.items():
        quiet.start(p, inputs(p, made.manifest.classes, seed))
        used = _stack(code, name)
        if used is None:
            faults.append(f"{name}: no thread could be started on {STACK} bytes of painted stack")
        stack[name] = used or 0
    top = np.flatnonzero(touched)
    return Measured(int(top[-1]) + 1 if len(top) else 0, transient, stack, tuple(dict.fromkeys(faults)))


def _storage(plan: Arrangement) -> BinaryIO | None:
    return opened(None, plan.memory.storage) if plan.memory.storage else None


def inputs(p: Program, classes: int, seed: int) -> dict[str, np.ndarray]:
    """Valid random inputs for a program, in stored layout."""
    rng = np.random.default_rng(seed)
    made = {}
    for name, i in p.inputs.items():
        spec = p.instances[i].spec
        if name == "lr":
            made[name] = np.full(spec.shape, 1e-3, spec.dtype)
        elif spec.is_float:
            made[name] = rng.random(spec.shape).astype(spec.dtype)
        elif spec.dtype == "int8":
            made[name] = rng.integers(-128, 128, spec.shape).astype(np.int8)
        else:
            most = max(1, classes) if name == "y" else 2  # bytes, flags and whole numbers of the model's own
            made[name] = rng.integers(0, most, spec.shape).astype(spec.dtype)
        assert made[name].size == prod(spec.shape)
    return made


def _stack(code: Library, program: str) -> int | None:
    """Bytes of stack, or None if the probe could not start its thread."""
    probe = code.dll().selvedge_stack_bytes
    probe.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    probe.restype = ctypes.c_size_t
    memory = aligned(STACK, 4096)
    used = int(probe(code.pointer(program), code.address, memory.ctypes.data, STACK))
    return None if used == ctypes.c_size_t(-1).value else used
