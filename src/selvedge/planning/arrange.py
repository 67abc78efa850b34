"""Graphs x device -> an arrangement: every program lowered, ordered and placed over one state and one arena."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..device.cost import Work, joules, seconds
from ..device.device import Device
from ..errors import NotSupported
from ..ir.graph import ITEM_BYTES, Graph, Value
from .bound import bound_of_any_order, bound_of_order
from .families import Machine
from .kernel import ARENA, FLASH, STATE, Instance, Kernel, Lowered
from .lower import lower
from .order import liveness
from .place import buffers, place
from .schedule import Arrangement, Choice, Compute, Event, Free, Memory, Program, Slot
from .search import lowest_peak
from .streaming import streamed
from .work import work


def machine(device: Device, dtype: str) -> Machine:
    """Lanes and tile size for ``device``: a core without vectors is short of RAM too, so its tiles are small."""
    lanes = max(1, device.vector_bytes // ITEM_BYTES[dtype])
    return Machine(lanes, tile_bytes=4096 if lanes > 1 else 512)


def arrange(
    graphs: Mapping[str, Graph], device: Device, choices: Sequence[Choice] = (), streaming: bool = True
) -> Arrangement:
    """Plan every program of ``graphs`` (name -> graph, sharing state names). streaming: let runs of layers keep rows
    of their activations instead of the whole, where that makes the arena smaller."""
    dtype = _real(graphs)
    limits = machine(device, dtype)
    updated = {name for g in graphs.values() for name in g.updates}
    lowered = {name: lower(g, limits, updated) for name, g in graphs.items()}
    return placed(graphs, streamed(lowered) if streaming else lowered, device, choices)


def placed(
    graphs: Mapping[str, Graph], lowered: Mapping[str, Lowered], device: Device, choices: Sequence[Choice] = ()
) -> Arrangement:
    """The kernels of every program, as ``lowered`` has them, ordered and placed."""
    dtype = _real(graphs)
    limits = machine(device, dtype)
    updated = {name for g in graphs.values() for name in g.updates}
    align = max(device.alignment, ITEM_BYTES[dtype])
    state = {name: v for g in graphs.values() for name, v in g.state.items()}
    slots, persistent, weights = _slots(state, updated, align)
    constants, values, weights = _constants(lowered, weights)
    programs = {
        name: _program(name, graphs[name], low, device, slots, constants, persistent, align)
        for name, low in lowered.items()
    }
    transient = max(p.transient_bytes for p in programs.values())
    memory = Memory(
        persistent,
        transient,
        weights,
        _code(lowered),
        persistent + max(p.bound_bytes for p in programs.values()),
        persistent + max(p.any_order_bytes for p in programs.values()),
    )
    return Arrangement(programs, slots, constants, values, memory, align, limits.lanes, dtype, tuple(choices))


def _real(graphs: Mapping[str, Graph]) -> str:
    """The one float dtype of ``graphs``. Raises ``NotSupported`` where a second one appears: an emitted unit has one
    real type."""
    dtype = ""
    for node in dict.fromkeys(n for g in graphs.values() for n in g.nodes()):
        for spec in node.specs:
            if spec.is_float and spec.dtype != (dtype := dtype or spec.dtype):
                fix = (
                    f"{spec.dtype} where the rest is {dtype}; bring the model and its inputs to one, say with .float()"
                )
                raise NotSupported(f"{node.op} in {spec.dtype}", node.where, fix)
    return dtype


# Bytes of .text on a Cortex-M4 (arm-none-eabi-gcc -O2): over the zoo the kernels themselves take at most 20 KiB, and
# each call of one, with its dimensions and its loop, at most 130 bytes. From above: tests/firmware compares.
CODE_BASE, CODE_CALL = 20 * 1024, 130


def _code(lowered: Mapping[str, Lowered]) -> int:
    return CODE_BASE + CODE_CALL * sum(len(low.kernels) for low in lowered.values())


def _slots(state: Mapping[str, Value], updated: set[str], align: int) -> tuple[dict[str, Slot], int, int]:
    """State slots, the persistent bytes (padded so that the transient part starts aligned), and the bytes of weights.

    What is a multiple of the alignment comes first: then nothing needs padding to stay aligned. The initial values of
    the trainable state lie in the weights exactly as they will in RAM.
    """

    def key(name: str) -> tuple[bool, bool]:
        return state[name].spec.bytes % align != 0, state[name].spec.bytes % 8 != 0

    slots: dict[str, Slot] = {}
    at = 0
    for region in (STATE, FLASH):
        base = at
        for name in sorted((n for n in state if (n in updated) == (region == STATE)), key=key):
            spec = state[name].spec
            at = -(-at // ITEM_BYTES[spec.dtype]) * ITEM_BYTES[spec.dtype]
            offset = at - base if region == STATE else at
            kind = str(state[name].node.attrs["kind"])
            slots[name] = Slot(name, region, offset, spec.bytes, spec.dtype, spec.shape, kind, at)
            at += spec.bytes
        if region == STATE:
            at = -(-at // align) * align
            persistent = at
    return slots, persistent, at


def _constants(lowered: Mapping[str, Lowered], weights: int) -> tuple[dict[str, Slot], dict[str, np.ndarray], int]:
    """Constant arrays behind the state in the weights; labels are made unique by program."""
    slots: dict[str, Slot] = {}
    values: dict[str, np.ndarray] = {}
    for program, low in lowered.items():
        for i in low.instances:
            if i.region == FLASH and i.state is None:
                name = f"{program}.{i.label}"
                weights = -(-weights // 8) * 8
                slots[name] = Slot(name, FLASH, weights, i.spec.bytes, i.spec.dtype, i.spec.shape, "constant", weights)
                values[name] = low.constants[i.id]
                weights += i.spec.bytes
    return slots, values, weights


def _program(
    name: str,
    graph: Graph,
    low: Lowered,
    device: Device,
    slots: Mapping[str, Slot],
    constants: Mapping[str, Slot],
    persistent: int,
    align: int,
) -> Program:
    any_order = bound_of_any_order(low)
    sequence = lowest_peak(low, any_order)
    bound = bound_of_order(low, sequence)
    found = buffers(low, sequence)
    item = max((ITEM_BYTES[i.spec.dtype] for i in low.instances), default=4)
    offsets, transient = place(found, align, item, bound)
    places = {i: persistent + o for i, o in offsets.items()}
    for i in low.instances:
        if i.region != ARENA:
            slot = slots[i.state] if i.state is not None else constants[f"{name}.{i.label}"]
            places[i.id] = slot.offset
    kernels = {k.id: k for k in low.kernels}
    macs = sum(k.macs for k in low.kernels)
    instances = {i.id: i for i in low.instances}
    done = works(low.kernels, instances, device, persistent + transient)
    return Program(
        name,
        kernels,
        instances,
        _schedule(low, sequence),
        places,
        {i.id: i.spec.bytes for i in low.instances},
        low.after,
        low.inputs,
        low.outputs,
        low.updates,
        low.gate,
        transient,
        bound,
        any_order,
        len(graph.nodes()),
        macs,
        sum(amount for w in done for amount in w.bytes_by_level.values()),
        seconds(device, done),
        joules(device, done),
    )


def works(kernels: Iterable[Kernel], instances: Mapping[int, Instance], device: Device, arena: int) -> list[Work]:
    """What ``kernels`` do on ``device``, their plan's arena being of ``arena`` bytes: it lies in the cache if
    it fits there, and what is frozen comes from flash where the device has a rate for it."""
    dtype = next((i.spec.dtype for i in instances.values() if i.spec.is_float), "float32")
    level = "cache" if "cache" in device.bandwidth and arena <= device.cache else "ram"
    lanes, flash = machine(device, dtype).lanes, "flash" in device.bandwidth
    return [w for k in kernels for w in work(k, instances, lanes, level, flash)]


def _schedule(low: Lowered, sequence: Sequence[int]) -> tuple[Event, ...]:
    """Each kernel, then what nothing reads any more."""
    live = liveness(low)
    kernels = {k.id: k for k in low.kernels}
    left = {i: set(r) for i, r in live.readers.items()}
    events: list[Event] = []
    for i in live.inputs:
        if not left[i] and i not in live.pinned:
            events.append(Free(i))
    for at in sequence:
        kernel = kernels[at]
        events.append(Compute(at))
        for i in kernel.touches:
            if i not in live.size or i in live.pinned:
                continue
            left[i].discard(at)
            if not left[i]:
                events.append(Free(i))
    return tuple(events)
