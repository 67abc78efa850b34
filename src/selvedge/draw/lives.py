"""What a program's bytes do over time: every buffer with its place, its life and its maker, and what holds the peak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from math import prod

from ..planning.kernel import Kernel
from ..planning.schedule import ARENA, STATE, Arrangement, Compute, Program, Slot

FORWARD, BACKWARD, UPDATE = "forward", "backward", "update"


@dataclass(frozen=True, slots=True)
class Life:
    """A transient buffer: ``bytes`` at ``offset`` of the arena while the kernels at ``start`` to ``stop`` run.

    Inputs start at -1, outputs stop at the number of kernels. What is overwritten in place ends one kernel before its
    successor starts: its bytes are then the successor's. maker: the kernel's position, None for an input. role:
    "input", "scratch", or the phase of the kernel that makes it.
    """

    instance: int
    name: str
    bytes: int
    offset: int
    start: int
    stop: int
    maker: int | None
    role: str


def lives(program: Program) -> tuple[Life, ...]:
    """Every buffer of ``program`` in the arena's transient part, by start and offset."""
    kernels = [program.kernels[k] for k in program.order()]
    arena = {i for i, instance in program.instances.items() if instance.region == ARENA}
    start = dict.fromkeys(program.inputs.values(), -1)
    stop = dict.fromkeys(program.outputs.values(), len(kernels))
    maker: dict[int, int] = {}
    scratch: set[int] = set()
    at = -1
    for event in program.schedule:
        if isinstance(event, Compute):
            at += 1
            kernel = program.kernels[event.kernel]
            maker.update((w, at) for w in kernel.writes if w in arena)
            if kernel.scratch is not None:
                scratch.add(kernel.scratch)
                maker[kernel.scratch] = at
        else:
            stop.setdefault(event.instance, at)
    start.update(maker)
    for position, kernel in enumerate(kernels):
        for w in arena.intersection(kernel.writes):
            low, high = program.offsets[w], program.offsets[w] + program.sizes[w]
            for r in arena.intersection(kernel.reads):
                taken = program.offsets[r] < high and low < program.offsets[r] + program.sizes[r]
                if r != w and stop[r] == position and taken:
                    stop[r] = position - 1
    phase = phases(program)
    found = [
        Life(
            i,
            program.instances[i].label,
            program.sizes[i],
            program.offsets[i],
            start[i],
            stop[i],
            maker.get(i),
            "scratch" if i in scratch else phase[kernels[maker[i]].id] if i in maker else "input",
        )
        for i in arena
    ]
    return tuple(sorted(found, key=lambda life: (life.start, life.offset)))


@dataclass(frozen=True, slots=True)
class Peak:
    """Where most transient bytes are live: the kernel's position, the bytes, and the buffers, the largest first."""

    position: int
    bytes: int
    held: tuple[Life, ...]


def peak(program: Program) -> Peak:
    """The first kernel of ``program`` at which most bytes are live."""
    found = lives(program)
    live = live_bytes(program, found)
    position = max(range(len(live)), key=live.__getitem__)
    held = [life for life in found if life.start <= position <= life.stop]
    return Peak(position, live[position], tuple(sorted(held, key=lambda life: -life.bytes)))


def live_bytes(program: Program, found: tuple[Life, ...]) -> list[int]:
    """Transient bytes that are live while each kernel runs, in order."""
    change = [0] * (len(program.order()) + 3)
    for life in found:
        change[life.start + 1] += life.bytes
        change[life.stop + 2] -= life.bytes
    live = list(accumulate(change))[1:-2]
    known = {life.instance: life for life in found}
    for position, k in enumerate(program.order()):
        for w, r, _ in program.kernels[k].overlay:  # what the result leaves of the operand that it lies over
            over, under = known[program.kernels[k].writes[w]], known[program.kernels[k].reads[r]]
            if under.stop == position - 1:
                shared = min(over.offset + over.bytes, under.offset + under.bytes) - max(over.offset, under.offset)
                live[position] += under.bytes - max(0, shared)
    return live


def phases(program: Program) -> dict[int, str]:
    """Kernel id -> "forward" (what loss and output need), "update" (what writes state), or "backward"."""
    maker = {w: k for k in program.kernels.values() for w in k.writes}
    found = {k.id: UPDATE if _updates(program, k) else BACKWARD for k in program.kernels.values()}
    waiting = [maker[i] for i in program.outputs.values() if i in maker]
    while waiting:
        kernel = waiting.pop()
        if found[kernel.id] == BACKWARD:
            found[kernel.id] = FORWARD
            waiting += [maker[r] for r in kernel.reads if r in maker]
    return found


def _updates(program: Program, kernel: Kernel) -> bool:
    return any(program.instances[w].region == STATE for w in kernel.writes)


def parts(plan: Arrangement) -> dict[str, int]:
    """State of which some program updates only a part -> the bytes of that part."""
    found: dict[str, int] = {}
    for p in plan.programs.values():
        for kernel in p.kernels.values():
            if kernel.expression is None:
                continue
            for write, _ in kernel.expression.into:
                new = p.instances[kernel.writes[write]]
                found[str(new.state)] = prod(kernel.expression.extents) * new.spec.bytes // new.spec.size
    return found


def layer(program: Program, kernel: Kernel, slots: Mapping[str, Slot]) -> str | None:
    """The module whose parameters ``kernel`` works on first, by its PyTorch name; None if it works on none."""
    for i in (*kernel.reads, *kernel.writes):
        name = program.instances[i].state
        if name is not None and name in slots and slots[name].kind in ("parameter", "buffer"):
            return name.rpartition(".")[0] or name
    return None


def called(program: Program, kernel: Kernel, slots: Mapping[str, Slot]) -> str:
    """A kernel in a few words: what it does, and of which layer."""
    what = kernel.label if kernel.family in ("loop", "copy") and kernel.label else kernel.family
    parts = what.split(" + ")
    short = what if len(parts) <= 3 else f"{' + '.join(parts[:2])} + {len(parts) - 2} more"
    of = layer(program, kernel, slots)
    return short if of is None or of in short else f"{short} of {of}"
