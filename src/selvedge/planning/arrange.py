"""Graphs x device -> an arrangement: every program lowered, ordered and placed over one state and one arena."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf

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
from .saving import Price, least_any, save
from .saving.store import stored
from .schedule import Arrangement, Choice, Compute, Event, Free, Memory, Program, Slot
from .search import lowest_peak
from .trade import Saved, Trade
from .work import PAGES, work

NOTHING = Trade(recompute=False)


def machine(device: Device, dtype: str) -> Machine:
    """Lanes and tile size for ``device``: a core without vectors is short of RAM too, so its tiles are small."""
    lanes = max(1, device.vector_bytes // ITEM_BYTES[dtype])
    return Machine(lanes, tile_bytes=4096 if lanes > 1 else 512)


def arrange(
    graphs: Mapping[str, Graph],
    device: Device,
    choices: Sequence[Choice] = (),
    *,
    room: int | None = None,
    latency: float = inf,
    trade: Trade = NOTHING,
) -> Arrangement:
    """Plan every program of ``graphs`` (name -> graph, sharing state names).

    room: bytes of RAM for the arena. A program that is too large for it makes values again or pages them, as ``trade``
    allows, in at most ``latency`` seconds; where that does not suffice it is as it is without.
    """
    return Draft(graphs, device).arranged(choices, room=room, latency=latency, trade=trade)


class Draft:
    """What of an arrangement is the same for every room, latency and trade; each part is made when first asked for, so
    that what cannot fit is known for little."""

    def __init__(self, graphs: Mapping[str, Graph], device: Device) -> None:
        self.graphs, self.device = graphs, device
        self.dtype = _real(graphs)
        self.limits = machine(device, self.dtype)
        self.updated = {name for g in graphs.values() for name in g.updates}
        self.align = max(device.alignment, ITEM_BYTES[self.dtype])
        state = {name: v for g in graphs.values() for name, v in g.state.items()}
        self.slots, self.persistent, self._weights = _slots(state, self.updated, self.align)

    @cached_property
    def lowered(self) -> dict[str, Lowered]:
        """Every program's kernels."""
        return {name: lower(g, self.limits, self.updated) for name, g in self.graphs.items()}

    @cached_property
    def least(self) -> int:
        """Bytes that no arena for these programs can do without, whatever is made again or paged."""
        return self.persistent + max(least_any(low) for low in self.lowered.values())

    @cached_property
    def plain(self) -> dict[str, Program]:
        """Every program ordered and placed, with nothing made again or paged."""
        site = self._site(None, inf)
        return {
            name: _placed(name, self.graphs[name], low, lowest_peak(low, bound_of_any_order(low)), site)
            for name, low in self.lowered.items()
        }

    @cached_property
    def _constants(self) -> tuple[dict[str, Slot], dict[str, np.ndarray], int]:
        return _constants(self.lowered, self._weights)

    def _site(self, room: int | None, latency: float) -> _Site:
        left = None if room is None else room - self.persistent
        return _Site(self.device, self.slots, self._constants[0], self.persistent, self.align, left, latency)

    def arranged(
        self, choices: Sequence[Choice] = (), *, room: int | None = None, latency: float = inf, trade: Trade = NOTHING
    ) -> Arrangement:
        """The arrangement; the arguments are those of :func:`arrange`."""
        programs = _programs(self.plain, self.graphs, self.lowered, self._site(room, latency), trade)
        constants, values, weights = self._constants
        memory = Memory(
            self.persistent,
            max(p.transient_bytes for p in programs.values()),
            weights,
            _code(self.lowered),
            self.persistent + max(p.bound_bytes for p in programs.values()),
            self.persistent + max(p.any_order_bytes for p in programs.values()),
            max(p.storage_bytes for p in programs.values()),
        )
        return Arrangement(
            programs, self.slots, constants, values, memory, self.align, self.limits.lanes, self.dtype, tuple(choices)
        )


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


@dataclass(frozen=True, slots=True)
class _Site:
    """Where programs are put: the device, the state that is there already, and the transient bytes that are left."""

    device: Device
    slots: Mapping[str, Slot]
    constants: Mapping[str, Slot]
    persistent: int
    align: int
    room: int | None
    latency: float


def _programs(
    plain: Mapping[str, Program],
    graphs: Mapping[str, Graph],
    lowered: Mapping[str, Lowered],
    site: _Site,
    trade: Trade,
) -> dict[str, Program]:
    """Those of ``plain`` that are too large, the largest first, with values made again or paged; the others as is."""
    made = dict(plain)
    if not (trade.recompute or trade.page):
        return made
    room = site.room
    for name in sorted(made, key=lambda n: -made[n].transient_bytes):
        whole, low = made[name], lowered[name]
        if trade.least and room == site.room:
            # The others need only be as small as the largest can be made.
            made[name] = _saved(whole, graphs[name], low, site, trade, 0)
            room = made[name].transient_bytes
        elif room is not None and least_any(low) <= room < whole.transient_bytes:
            made[name] = _saved(whole, graphs[name], low, site, replace(trade, least=False), room)
    return made


STORAGE_TIMES = 50  # RAM against flash or a card, where a profile has no figures
STORED = (1 << 32) - 1  # the storage calls count bytes in 32 bits
PLACES = 4  # times that a program is made smaller because its buffers left gaps


def _saved(plain: Program, graph: Graph, low: Lowered, site: _Site, trade: Trade, room: int) -> Program:
    """``plain`` with values made again or paged: what keeps the room, or the smallest; ``plain`` if that is neither."""
    price = _price(low, site.device, trade)
    aim, best = room, plain
    for _ in range(PLACES):
        found = save(low, plain.order(), aim, price, trade, site.latency if plain.seconds is not None else inf)
        if found is None:
            break
        program = _placed(plain.name, graph, *found, site)
        if program.transient_bytes < best.transient_bytes:
            best = program
        gap = program.transient_bytes - room
        if gap <= 0 or program.bound_bytes > aim or trade.least:
            break
        aim -= gap
    if best is plain or (best.transient_bytes > room and not trade.least):
        return plain
    storage = site.device.storage
    if best.storage_bytes > min(STORED, storage.size if storage is not None else 0):
        return plain
    kernels = [best.kernels[k] for k in best.order()]
    paged = {way: sum(k.params["bytes"] for k in kernels if k.family == way) for way in ("page_out", "page_in")}
    again = sum(any(best.instances[w].of is not None for w in k.writes) and k.family != "page_in" for k in kernels)
    saved = Saved(
        plain.transient_bytes, plain.seconds, plain.joules, again, paged["page_out"], paged["page_in"]
    )  # fmt: skip
    return replace(best, saved=saved)


def _price(low: Lowered, device: Device, trade: Trade) -> Price:
    """By the device's figures where it has all that is needed; else a byte moved and a multiply-accumulate cost the
    same, and a byte paged STORAGE_TIMES as much."""
    instances = {i.id: i for i in low.instances}
    beyond = device.cache + 1  # an arena that is too large for the cache: this is what is to be made smaller
    paging = [Kernel(0, "page_in", (), (0,)), Kernel(0, "page_out", (0,), ())] if trade.page and instances else []

    def by(measure: Callable[[Device, Iterable[Work]], float | None]) -> Callable[[Kernel], float] | None:
        if measure(device, works([*low.kernels, *paging], instances, device, beyond)) is None:
            return None
        return lambda kernel: measure(device, works([kernel], instances, device, beyond)) or 0.0

    def count(kernel: Kernel) -> float:
        moved = sum(instances[i].spec.bytes for i in (*kernel.reads, *kernel.writes))
        return float(kernel.macs + moved * (STORAGE_TIMES if kernel.family in PAGES else 1))

    time = by(seconds) or count
    return Price(time, (by(joules) or time) if trade.objective == "energy" else time)


def _placed(name: str, graph: Graph, low: Lowered, sequence: Sequence[int], site: _Site) -> Program:
    low, storage = stored(low)
    device, persistent = site.device, site.persistent
    bound = bound_of_order(low, sequence)
    found = buffers(low, sequence)
    item = max((ITEM_BYTES[i.spec.dtype] for i in low.instances), default=4)
    offsets, transient = place(found, site.align, item, bound)
    places = {i: persistent + o for i, o in offsets.items()}
    for i in low.instances:
        if i.region != ARENA:
            slot = site.slots[i.state] if i.state is not None else site.constants[f"{name}.{i.label}"]
            places[i.id] = slot.offset
    kernels = {k.id: k for k in low.kernels}
    moved = sum(low.instances[i].spec.bytes for k in low.kernels for i in (*k.reads, *k.writes))
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
        bound_of_any_order(low),
        len(graph.nodes()),
        macs,
        moved,
        seconds(device, done),
        joules(device, done),
        storage,
    )


def works(kernels: Iterable[Kernel], instances: Mapping[int, Instance], device: Device, arena: int) -> list[Work]:
    """What each of ``kernels`` does on ``device``, their plan's arena being of ``arena`` bytes: it lies in the cache if
    it fits there, and what is frozen comes from flash where the device has a rate for it."""
    dtype = next((i.spec.dtype for i in instances.values() if i.spec.is_float), "float32")
    level = "cache" if "cache" in device.bandwidth and arena <= device.cache else "ram"
    lanes, flash = machine(device, dtype).lanes, "flash" in device.bandwidth
    return [work(k, instances, lanes, level, flash) for k in kernels]


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
