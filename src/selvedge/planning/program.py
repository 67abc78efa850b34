"""One lowered program -> ordered, placed and priced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..device.cost import Work, joules, seconds
from ..device.device import Device
from ..ir.graph import ITEM_BYTES, Graph
from .bound import bound_of_order
from .kernel import ARENA, Instance, Kernel, Lowered
from .native import Machine
from .order import liveness
from .ordering import best_order
from .place import buffers
from .placement import best_places
from .saving.store import stored
from .schedule import Compute, Event, Free, Program, Slot
from .work import work


def machine(device: Device, dtype: str) -> Machine:
    """Lanes and tile size for ``device``: a core without vectors is short of RAM too, so its tiles are small."""
    lanes = max(1, device.vector_bytes // ITEM_BYTES[dtype])
    return Machine(lanes, tile_bytes=4096 if lanes > 1 else 512)


@dataclass(frozen=True, slots=True)
class Site:
    """Where programs are put: the device, the state that is there already, and the transient bytes that are left."""

    device: Device
    slots: Mapping[str, Slot]
    constants: Mapping[str, Slot]
    persistent: int
    align: int
    room: int | None
    latency: float


def plain_program(name: str, graph: Graph, low: Lowered, site: Site) -> Program:
    ordered = best_order(low)
    return placed_program(name, graph, low, ordered.order, ordered.floor, site)


def placed_program(name: str, graph: Graph, low: Lowered, sequence: Sequence[int], floor: int, site: Site) -> Program:
    low, storage = stored(low)
    device, persistent = site.device, site.persistent
    bound = bound_of_order(low, sequence)
    found = buffers(low, sequence)
    item = max((ITEM_BYTES[i.spec.dtype] for i in low.instances), default=4)
    placed = best_places(found, site.align, item, bound)
    transient = placed.top
    places = {i: persistent + o for i, o in placed.offsets.items()}
    for i in low.instances:
        if i.region != ARENA:
            slot = site.slots[i.state] if i.state is not None else site.constants[f"{name}.{i.label}"]
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
        floor,
        len(graph.nodes()),
        macs,
        sum(amount for w in done for amount in w.bytes_by_level.values()),
        seconds(device, done),
        joules(device, done),
        placed.bound,
        storage,
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
