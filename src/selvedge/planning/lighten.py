"""Programs that are too large for their room made to fit: values made again, or paged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import inf

from ..device.cost import Work, joules, seconds
from ..device.device import Device
from ..ir.graph import Graph
from .bound import bound_of_any_order
from .kernel import Kernel, Lowered
from .program import Site, placed_program, plain_program, works
from .saving import Price, least_any, save
from .schedule import Program
from .trade import Saved, Trade
from .work import PAGES


def programs(
    graphs: Mapping[str, Graph], lowered: Mapping[str, Lowered], site: Site, trade: Trade
) -> dict[str, Program]:
    """Every program plain; then those that are too large, the largest first, with values made again or paged."""
    made = {name: plain_program(name, graphs[name], low, site) for name, low in lowered.items()}
    if not (trade.recompute or trade.page):
        return made
    room = site.room
    for name in sorted(made, key=lambda n: -made[n].transient_bytes):
        plain, low = made[name], lowered[name]
        if trade.least and room == site.room:
            # The others need only be as small as the largest can be made.
            made[name] = _lighter(plain, graphs[name], low, site, trade, 0)
            room = made[name].transient_bytes
        elif room is not None and least_any(low) <= room < plain.transient_bytes:
            made[name] = _lighter(plain, graphs[name], low, site, replace(trade, least=False), room)
    return made


STORAGE_TIMES = 50  # RAM against flash or a card, where a profile has no figures
STORED = (1 << 32) - 1  # the storage calls count bytes in 32 bits
PLACES = 4  # times that a program is made smaller because its buffers left gaps


def _lighter(plain: Program, graph: Graph, low: Lowered, site: Site, trade: Trade, room: int) -> Program:
    """``plain`` with values made again or paged: what keeps the room, or the smallest; ``plain`` if that is neither."""
    price = _price(low, site.device, trade)
    aim, best = room, plain
    for _ in range(PLACES):
        found = save(low, plain.order(), aim, price, trade, site.latency if plain.seconds is not None else inf)
        if found is None:
            break
        program = placed_program(plain.name, graph, *found, bound_of_any_order(found[0]), site)
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
