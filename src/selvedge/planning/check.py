"""The independent checker: replays a plan byte by byte and believes nothing the planner says.

It imports the plan's nouns and none of the planner's verbs. Every byte of the arena remembers which instance wrote it
last; a kernel may only read bytes that still belong to what it asks for.
"""

from __future__ import annotations

from math import prod

import numpy as np

from .check_part import BadPart, check_parts
from .check_stream import BadStream, check_stream
from .kernel import ARENA, FLASH, STATE, Expression, Kernel, Operand
from .meaning import Contradiction, names
from .operands import ANY, INDEX, REAL, Extent, operands
from .owners import Owners
from .schedule import Arrangement, Compute, Free, Program
from .scratch import native_scratch, scratch_dtype

# Families whose C code documents that its result may take the place of an operand: (write, read).
MAY_ALIAS = {
    "conv2d_input_grad_onto": {(0, 2)},
    "scatter_onto": {(0, 0)},
    "cumsum": {(0, 0)},
    "dropout": {(0, 0)},
    "normalize": {(0, 0)},
    "normalize_grad": {(0, 0)},
    "cross_entropy_grad": {(0, 0)},
    "ctc": {(1, 0)},
    "int8_table": {(0, 0)},
    "int8_add": {(0, 0), (0, 1)},
    "int8_mul": {(0, 0), (0, 1)},
}
PAGES = ("page_out", "page_in")
MOVES = ("copy", *PAGES)
# Numbers in blocks of SV_BLOCK (native/compact.h), each block with a scale.
BLOCK, QUANTIZE, DEQUANTIZE = 64, ("quantize", "quantize_square"), ("dequantize", "dequantize_square")

MASKED = "masked_grad"  # its second operand is bits, eight to a byte


class BadPlan(RuntimeError):
    """A plan that would read or write the wrong bytes: a fault of the planner, never of the user. ``program`` and
    ``what`` say where and why."""

    def __init__(self, program: str, what: str) -> None:
        super().__init__(f"plan check: {program}: {what}")
        self.program = program
        self.what = what


def check(plan: Arrangement) -> None:
    """Raise :class:`BadPlan` unless every program of ``plan`` is sound and the arena is exactly what it needs."""
    _check_slots(plan)
    top = 0
    for program in plan.programs.values():
        top = max(top, _Checker(plan, program).run())
    memory = plan.memory
    used = max(top, memory.persistent)
    if used != memory.arena:
        raise BadPlan("arena", f"the programs reach byte {used}, the plan promises {memory.arena}")


def _check_slots(plan: Arrangement) -> None:
    """State slots do not overlap, lie inside their region, and are as large as their arrays."""
    for region, limit in ((STATE, plan.memory.persistent), (FLASH, plan.memory.weights)):
        slots = [s for s in (*plan.slots.values(), *plan.constants.values()) if s.region == region]
        end = 0
        for s in sorted(slots, key=lambda s: s.offset):
            need = prod(s.shape) * np.dtype(s.dtype).itemsize
            if s.bytes != need:
                raise BadPlan("state", f"{s.name} has {s.bytes} bytes, its array needs {need}")
            if s.offset < end:
                raise BadPlan("state", f"{s.name} overlaps the slot before it")
            if s.offset % np.dtype(s.dtype).itemsize:
                raise BadPlan("state", f"{s.name} is not aligned")
            end = s.offset + s.bytes
        if end > limit:
            raise BadPlan("state", f"{region} slots end at byte {end}, the region has {limit}")


class _Checker:
    def __init__(self, plan: Arrangement, program: Program) -> None:
        self.plan, self.p = plan, program
        self.owner = {ARENA: Owners(plan.memory.arena), FLASH: Owners(plan.memory.weights)}
        windows = [w.value for k in program.kernels.values() for w in k.windows]
        # What an operand can be: an instance of the program, or a value of which a streamed kernel holds rows.
        self.specs = {i.id: i.spec for i in (*program.instances.values(), *windows)}
        self.sizes = {**{i.id: i.spec.bytes for i in windows}, **program.sizes}
        self.freed: set[int] = set()
        self.top = 0
        self.gate = {k.id for k in program.kernels.values() if program.gate in k.writes}
        self.readers: dict[str, list[Kernel]] = {}  # of a state array's old value
        for kernel in program.kernels.values():
            read = (program.instances[r] for r in kernel.reads)
            for name in dict.fromkeys(i.state for i in read if i.state is not None and i.version == 0):
                self.readers.setdefault(name, []).append(kernel)

    def run(self) -> int:
        """Replay; returns one past the highest arena byte in use."""
        p = self.p
        self._types()
        self._sizes()
        for i in p.inputs.values():
            self._claim(i, "input")
        for instance in p.instances.values():
            if instance.state is not None and instance.version == 0:
                self._claim(instance.id, "state")
            elif instance.region == FLASH:
                self._claim(instance.id, "constant")
        ran: set[int] = set()
        for event in p.schedule:
            if isinstance(event, Compute):
                if event.kernel in ran:
                    self._fail(f"kernel {event.kernel} runs twice")
                if event.kernel not in p.kernels:
                    self._fail(f"kernel {event.kernel} does not exist")
                ran.add(event.kernel)
                self._compute(p.kernels[event.kernel], ran)
            elif isinstance(event, Free):
                if p.instances[event.instance].region != ARENA:
                    self._fail(f"{self._name(event.instance)} is state and cannot be freed")
                self.freed.add(event.instance)
        self._meaning()
        missing = set(p.kernels) - ran
        if missing:
            self._fail(f"kernel {min(missing)} never runs")
        for name, i in p.outputs.items():
            self._intact(i, f"output {name}")
        for name, i in p.updates.items():
            self._intact(i, f"new value of {name}")
        leaked = [
            i.id for i in p.instances.values()
            if i.region == ARENA and i.id not in self.freed and i.id not in p.outputs.values()
        ]  # fmt: skip
        if leaked:
            self._fail(f"{self._name(leaked[0])} is never freed")
        return self.top

    def _meaning(self) -> None:
        """What is made again, or read back from storage, is what it was; and storage is as large as was promised."""
        try:
            names(self.p)
        except Contradiction as error:
            self._fail(f"{error} ({self._name(error.instance)})")
        paged = [k.params for k in self.p.kernels.values() if k.family in PAGES]
        top = max((a["at"] + a["bytes"] for a in paged), default=0)
        if any(a["at"] < 0 for a in paged) or top > self.p.storage_bytes:
            self._fail(f"pages reach byte {top} of storage, the program promises {self.p.storage_bytes}")
        if self.p.storage_bytes > self.plan.memory.storage:
            self._fail(f"{self.p.storage_bytes} bytes of storage, the plan promises {self.plan.memory.storage}")

    # -- one kernel ---------------------------------------------------------------------------------------------

    def _compute(self, kernel: Kernel, ran: set[int]) -> None:
        p = self.p
        self._extents(kernel)
        if kernel.inner:
            self._stream(kernel)
        for i in kernel.reads:
            self._intact(i, f"read by {kernel.label}")
        aliasing = self._may_alias(kernel)
        reads = [self._range(i) for i in kernel.reads]
        writes = [self._range(i) for i in kernel.writes]
        for w, i in enumerate(kernel.writes):
            instance = p.instances[i]
            if instance.region == FLASH:
                self._fail(f"{kernel.label} writes {self._name(i)}, which is frozen")
            if instance.region == STATE:
                self._update(kernel, i, ran)
            for r, j in enumerate(kernel.reads):
                if _disjoint(writes[w], reads[r]) or kernel.inner:
                    continue
                if writes[w] != reads[r] or (w, r) not in aliasing:
                    self._fail(f"{kernel.label} writes {self._name(i)} over its own operand {self._name(j)}")
            for v in range(w):
                if not _disjoint(writes[w], writes[v]):
                    self._fail(f"{kernel.label} writes {self._name(i)} over its other result")
        if kernel.scratch is not None:
            own = self._range(kernel.scratch)
            for i, other in zip((*kernel.reads, *kernel.writes), (*reads, *writes), strict=True):
                if not _disjoint(own, other):
                    self._fail(f"the scratch of {kernel.label} overlaps {self._name(i)}")
            self._claim(kernel.scratch, "scratch", fresh=False)
        for i in kernel.writes:
            if i in self.freed:
                self._fail(f"{self._name(i)} is written after it was freed")
            self._claim(i, f"written by {kernel.label}", fresh=False)

    # -- dimensions and types ------------------------------------------------------------------------------------

    def _types(self) -> None:
        """The emitted unit has one real type."""
        for i, spec in self.specs.items():
            if spec.is_float and spec.dtype != self.plan.dtype:
                self._fail(f"{self._name(i)} is {spec.dtype}, the plan's real type is {self.plan.dtype}")

    def _extents(self, kernel: Kernel) -> None:
        """Every operand of ``kernel`` has the type and the elements that its call and its loops touch."""
        if kernel.inner:
            for inner in kernel.inner:
                unknown = [i for i in (*inner.reads, *inner.writes) if i not in self.specs]
                if unknown:
                    self._fail(f"{kernel.label} has no window for value {unknown[0]} of {inner.label}")
                self._extents(inner)
            return
        calls, loops = kernel.family not in ("loop", "reduce", *MOVES), kernel.expression
        if kernel.family in MOVES:
            for i in (*kernel.reads, *kernel.writes):
                if self.p.sizes[i] != kernel.params["bytes"]:
                    self._fail(f"{kernel.label} moves {kernel.params['bytes']} bytes, {self._name(i)} has another size")
            counts = {"page_out": (1, 0), "page_in": (0, 1)}.get(kernel.family, (1, 1))
            if (len(kernel.reads), len(kernel.writes)) != counts:
                self._fail(f"{kernel.label} moves {len(kernel.reads)} arrays to {len(kernel.writes)}")
        if calls:
            self._call(kernel)
        elif loops is None and kernel.family not in MOVES:
            self._fail(f"{kernel.label} does nothing")
        if loops is not None:
            self._loops(kernel, loops)

    def _stream(self, kernel: Kernel) -> None:
        """Rows of inner values, and results over operands, by the byte."""
        p = self.p
        whole = {i: p.offsets[i] for i in (*kernel.reads, *kernel.writes) if p.instances[i].region == ARENA}
        size = 0 if kernel.scratch is None else p.sizes[kernel.scratch]
        if any(w.value.id in p.instances for w in kernel.windows):
            self._fail(f"{kernel.label} has a window on what also exists whole")
        try:
            check_stream(kernel, self.specs, whole, size, np.dtype(self.plan.dtype).itemsize)
        except BadStream as fault:
            self._fail(f"{kernel.label} {fault}")

    def _call(self, kernel: Kernel) -> None:
        known = operands(kernel.family, kernel.params)
        if known is None:
            self._fail(f"{kernel.label}: no native family is called {kernel.family}")
            return
        reads, writes = known
        own = kernel.reads[: kernel.producer_reads]
        if len(own) != len(reads):
            self._fail(f"{kernel.label} reads {len(own)} operands, {kernel.family} takes {len(reads)}")
        pairs = list(zip(own, reads, strict=True))
        if kernel.tile is None:
            pairs += zip(kernel.writes, writes, strict=False)
        else:
            self._tile(kernel, writes)
        kinds = {self.specs[i].dtype for i, e in pairs if e.kind == ANY}
        if len(kinds) > 1:
            self._fail(f"{kernel.label} moves {' and '.join(sorted(kinds))} as one type")
        for i, extent in pairs:
            self._extent(kernel, i, extent)

    def _extent(self, kernel: Kernel, i: int, extent: Extent) -> None:
        spec = self.specs[i]
        kind = {REAL: (self.plan.dtype,), INDEX: ("uint8", "bool"), ANY: (spec.dtype,)}.get(extent.kind, (extent.kind,))
        if spec.dtype not in kind:
            self._fail(f"{kernel.label} takes {self._name(i)} for {kind[0]}, it is {spec.dtype}")
        if self.sizes[i] != extent.elements * np.dtype(spec.dtype).itemsize:
            self._fail(f"{kernel.label} takes {self._name(i)} for {extent.elements} elements, it has another size")

    def _tile(self, kernel: Kernel, writes: tuple[Extent, ...]) -> None:
        """A tile holds whole units of the call's result; unstaged, it is made in the first result of the kernel."""
        tile = kernel.tile
        assert tile is not None
        whole = Extent(tile.unit * tile.units)
        if len(writes) != 1 or writes[0] != whole or tile.units_per_tile < 1:
            self._fail(f"the tiles of {kernel.label} are not its result")
        if kernel.expression is None:
            self._fail(f"{kernel.label} has tiles and nothing that follows on them")
        if not tile.staged:
            self._extent(kernel, kernel.writes[0], whole)

    def _loops(self, kernel: Kernel, loops: Expression) -> None:
        elements = prod(loops.extents)
        for step in loops.steps:
            for a in step.args:
                if not isinstance(a, Operand):
                    continue
                reach = 1 + sum(s * (n - 1) for s, n in zip(a.strides, loops.extents, strict=True))
                if a.block:
                    if a.block != loops.block or a.strides != _dense(loops):
                        self._fail(f"{kernel.label} takes a scale for {a.block} elements, its blocks are not those")
                    reach = -(-reach // a.block)
                if a.packed != (step.op == MASKED and a is step.args[1]):
                    self._fail(f"{kernel.label} takes numbers for bits, or bits for numbers")
                if a.packed:
                    if a.strides != _dense(loops):
                        self._fail(f"{kernel.label} does not walk its mask element by element")
                    reach = -(-reach // 8)
                if a.raw:
                    tile = kernel.tile
                    if tile is None or reach > tile.unit * tile.units:
                        self._fail(f"{kernel.label} reads behind its tile")
                    continue
                spec = self.specs[kernel.reads[a.read]]
                if reach * np.dtype(spec.dtype).itemsize > self.sizes[kernel.reads[a.read]]:
                    self._fail(f"{kernel.label} reads behind {self._name(kernel.reads[a.read])}")
        if kernel.reduction is not None:
            first, middle, _ = kernel.reduction.split
            kept = prod(loops.extents[:first]) * prod(loops.extents[first + middle :])
            self._extent(kernel, kernel.writes[0], Extent(kept))
        self._blocks(kernel, loops)
        try:
            for old in check_parts(kernel, loops, self.p.instances):
                self._intact(old, f"whose rest stays when {kernel.label} writes a part")
        except BadPart as fault:
            self._fail(f"{kernel.label} {fault} ({self._name(fault.instance)})")
        into = dict(loops.into)
        for write, _ in loops.results:
            if write in into:
                continue
            spec = self.specs[kernel.writes[write]]
            self._extent(kernel, kernel.writes[write], Extent(elements, REAL if spec.is_float else spec.dtype))

    def _blocks(self, kernel: Kernel, loops: Expression) -> None:
        """Each step that quantises has codes and scales, and no block lies in two tiles."""
        quantised = {i for i, step in enumerate(loops.steps) if step.op in QUANTIZE}
        if quantised - {i for _, i in loops.results} or sorted(i for _, i in loops.scales) != sorted(quantised):
            self._fail(f"{kernel.label} quantises without codes or without scales")
        blocked = any(step.op in (*QUANTIZE, *DEQUANTIZE) for step in loops.steps)
        if loops.block != (BLOCK if blocked else 0):
            self._fail(f"{kernel.label} goes by blocks of {loops.block}, quantised numbers come by {BLOCK}")
        for write, _ in loops.scales:
            self._extent(kernel, kernel.writes[write], Extent(-(-prod(loops.extents) // BLOCK)))
        tile = kernel.tile
        if loops.block and tile is not None and tile.units_per_tile < tile.units and tile.elements % loops.block:
            self._fail(f"a tile of {kernel.label} ends within a block")

    def _update(self, kernel: Kernel, i: int, ran: set[int]) -> None:
        p = self.p
        instance = p.instances[i]
        if instance.version != 1 or instance.state is None or p.updates.get(instance.state) != i:
            self._fail(f"{kernel.label} writes {self._name(i)}, which is no update of this program")
        if not self.gate <= ran - {kernel.id}:
            self._fail(f"{kernel.label} updates {self._name(i)} before the loss is known")
        for other in self.readers.get(instance.state or "", ()):
            if other.id not in ran:
                self._fail(f"{kernel.label} updates {self._name(i)} before {other.label} has read the old value")

    def _may_alias(self, kernel: Kernel) -> set[tuple[int, int]]:
        """(write, read) pairs that this kernel reads element by element before it writes them."""
        if kernel.expression is None:
            return MAY_ALIAS.get(kernel.family, set())
        if kernel.reduction is not None:
            return set()
        if kernel.tile is not None and not kernel.tile.staged:
            return set()
        dense = _dense(kernel.expression)
        walks: dict[int, set[tuple[int, ...] | None]] = {}
        for step in kernel.expression.steps:
            for a in step.args:
                if isinstance(a, Operand) and not a.raw:
                    walks.setdefault(a.read, set()).add(None if a.block or a.packed else a.strides)
        into = dict(kernel.expression.into)
        # The scales of a block are written when all of it has been read.
        scaled = {a.read for step in kernel.expression.steps for a in step.args if isinstance(a, Operand) and a.block}
        own = {kernel.reads[r] for r in range(kernel.producer_reads)}
        return {
            (w, r)
            for r, strides in walks.items()
            for w in range(len(kernel.writes))
            if strides == {into.get(w, dense)} and kernel.reads[r] not in own
        } | {(w, r) for r in scaled for w, _ in kernel.expression.scales if kernel.reads[r] not in own}

    # -- bytes --------------------------------------------------------------------------------------------------

    def _sizes(self) -> None:
        """Every reserved size is what the array, or the kernel's own dimensions, need."""
        p = self.p
        scratch = {k.scratch: k for k in p.kernels.values() if k.scratch is not None}
        for i in p.instances.values():
            item = np.dtype(i.spec.dtype).itemsize
            need = prod(i.spec.shape) * item
            if i.id in scratch:
                k = scratch[i.id]
                works_in = scratch_dtype(k.family, self.plan.dtype)
                if i.spec.dtype != works_in:
                    self._fail(f"{self._name(i.id)} is of {i.spec.dtype}: {k.family} works in {works_in}")
                staged = k.tile.elements if k.tile is not None and k.tile.staged else 0
                need = (native_scratch(k.family, k.params, self.plan.lanes) + staged) * item
                if k.inner:
                    need = p.sizes[i.id]  # counted row by row when the kernel runs
            if p.sizes[i.id] != need:
                self._fail(f"{self._name(i.id)} has {p.sizes[i.id]} bytes reserved and needs {need}")
            if p.offsets[i.id] % item:
                self._fail(f"{self._name(i.id)} is not aligned")
            if i.state is not None:
                slot = self.plan.slots[i.state]
                if (slot.region, slot.offset, slot.bytes) != (i.region, p.offsets[i.id], p.sizes[i.id]):
                    self._fail(f"{self._name(i.id)} is not where the state {i.state} lies")
            elif i.region == ARENA and p.offsets[i.id] < self.plan.memory.persistent:
                self._fail(f"{self._name(i.id)} overlaps the persistent state")
            elif i.region == STATE:
                self._fail(f"{self._name(i.id)} lies in the state region and is no state")

    def _range(self, i: int) -> tuple[str, int, int]:
        region = FLASH if self.p.instances[i].region == FLASH else ARENA
        return region, self.p.offsets[i], self.p.offsets[i] + self.p.sizes[i]

    def _claim(self, i: int, why: str, fresh: bool = True) -> None:
        region, low, high = self._range(i)
        owner = self.owner[region]
        if low < 0 or high > len(owner):
            self._fail(f"{self._name(i)} ({why}) ends at byte {high}, the {region} has {len(owner)}")
        if fresh and not owner.untouched(low, high):
            self._fail(f"{self._name(i)} ({why}) overlaps another")
        owner.claim(low, high, i)
        if region == ARENA and self.p.instances[i].region == ARENA:
            self.top = max(self.top, high)

    def _intact(self, i: int, why: str) -> None:
        region, low, high = self._range(i)
        if i in self.freed:
            self._fail(f"{self._name(i)} ({why}) was freed")
        if high > len(self.owner[region]) or not self.owner[region].belongs(low, high, i):
            self._fail(f"{self._name(i)} ({why}) was not written, or was overwritten")

    def _name(self, i: int) -> str:
        label = self.p.instances[i].label if i in self.p.instances else "window"
        return f"{label} (instance {i})"

    def _fail(self, what: str) -> None:
        raise BadPlan(self.p.name, what)


def _dense(loops: Expression) -> tuple[int, ...]:
    return tuple(prod(loops.extents[d + 1 :]) for d in range(len(loops.extents)))


def _disjoint(a: tuple[str, int, int], b: tuple[str, int, int]) -> bool:
    return a[0] != b[0] or a[2] <= b[1] or b[2] <= a[1]
