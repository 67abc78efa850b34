"""Programs that are too large for their room made to fit: by rows, by channels, with values made again, or paged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf

from ..device.cost import Work, joules, seconds
from ..device.device import Device
from ..ir.graph import Graph
from .bound import bound_of_any_order, bound_of_order
from .channels import Cut
from .kernel import ARENA, Kernel, Lowered
from .ordering import best_order
from .program import Site, placed_program, works
from .saving import Price, least_any, save
from .schedule import Program
from .search import lowest_peak
from .streaming import streamed
from .trade import Saved, Trade
from .work import PAGES

Cuts = Callable[[str], Iterator[tuple[Cut, Lowered]]]  # ways of a program by channels


def programs(
    plain: Mapping[str, Program],
    graphs: Mapping[str, Graph],
    lowered: Mapping[str, Lowered],
    site: Site,
    trade: Trade,
    cuts: Cuts,
) -> dict[str, Program]:
    """Those of ``plain`` that are too large, the largest first, by rows, by channels, with values made again or paged.
    What even so is too large stays as it is, unless ``trade`` asks for the least."""
    made = dict(plain)
    if not (trade.stream or trade.recompute or trade.page):
        return made
    room = site.room
    for name in sorted(made, key=lambda n: -made[n].transient_bytes):
        whole, low = made[name], lowered[name]
        if trade.least and room == site.room:
            # The others need only be as small as the largest can be made.
            made[name] = min((whole, *_lighter(whole, graphs[name], low, site, trade, 0, cuts)), key=_bytes)
            room = made[name].transient_bytes
        elif room is not None and room < whole.transient_bytes and (trade.least or ends(low) <= room):
            found = list(
                _until_cheap(whole, room, trade, site, _lighter(whole, graphs[name], low, site, trade, room, cuts))
            )
            kept = [p for p in found if p.transient_bytes <= room]
            if site.latency < inf and not any(_timely(p, site) for p in kept):
                # A search with more time in hand may end in what needs less of it.
                idle = replace(site, latency=inf)
                more = _until_cheap(
                    whole, room, trade, site, _lighter(whole, graphs[name], low, idle, trade, room, cuts)
                )
                kept += [p for p in more if p.transient_bytes <= room and _timely(p, site)]
            if kept:
                made[name] = min(kept, key=lambda p: (not _timely(p, site), _spent(p, trade)))
            elif trade.least:
                made[name] = min((whole, *found), key=_bytes)
    return made


def ends(low: Lowered) -> int:
    """Bytes that ``low`` needs before its first kernel, for its inputs, or behind its last, for its outputs."""
    size = {i.id: i.spec.bytes for i in low.instances if i.region == ARENA}
    return max(sum(size.get(i, 0) for i in set(of.values())) for of in (low.inputs, low.outputs))


def _bytes(program: Program) -> int:
    return program.transient_bytes


CHEAP = 1.1  # times what the plain program takes: a way that keeps the room for that is taken without a look at others


def _until_cheap(plain: Program, room: int, trade: Trade, site: Site, found: Iterator[Program]) -> Iterator[Program]:
    """``found``, up to the first that keeps the room, and its time, for little; where there are no figures, at all."""
    for program in found:
        yield program
        kept = program.transient_bytes <= room and _timely(program, site)
        if kept and _spent(program, trade) <= CHEAP * _spent(plain, trade):
            return


def _timely(program: Program, site: Site) -> bool:
    """Does it keep the latency, as far as that can be said?"""
    return program.seconds is None or program.seconds <= site.latency


def _spent(program: Program, trade: Trade) -> float:
    """Seconds or joules, as ``trade`` minds them; 0 where the device has no figures."""
    spent = program.joules if trade.objective == "energy" and program.joules is not None else program.seconds
    return spent or 0.0


STORAGE_TIMES = 50  # RAM against flash or a card, where a profile has no figures
STORED = (1 << 32) - 1  # the storage calls count bytes in 32 bits
PLACES = 4  # times that a program is made smaller because its buffers left gaps


@dataclass(frozen=True, slots=True, eq=False)
class _Way:
    """A program by channels, ``low``, and its order of the lowest ``peak`` found."""

    peak: int
    cut: Cut
    low: Lowered
    order: Sequence[int]


def _lighter(
    plain: Program, graph: Graph, low: Lowered, site: Site, trade: Trade, room: int, cuts: Cuts
) -> Iterator[Program]:
    """Programs that do the same as ``plain`` in fewer bytes, what gives up least first: by rows; with values made again
    or paged; with both; by channels as well. room: bytes to come down to, 0 for the least. Only where ``trade`` asks
    for the least is what stays above it worth its places."""
    rows = streamed(low, room) if trade.stream else low
    if rows is not low:
        ordered = best_order(rows)
        if trade.least or bound_of_order(rows, ordered.order) <= room:
            made = placed_program(plain.name, graph, rows, ordered.order, ordered.floor, site)
            yield _saved(plain, rows, made)
    if not (trade.recompute or trade.page):
        return
    price = _price(low, site.device, trade)
    most = trade.slowdown * sum(price.seconds(k) for k in low.kernels)
    if plain.seconds is not None:
        most = min(most, site.latency)
    cut = _Cuts(plain, site, room, most, cuts if trade.channels and trade.recompute else lambda name: iter(()), trade)
    # To the least, what is halved by channels alone goes on from there.
    ways = [] if trade.least and cut.peak < plain.transient_bytes / 2 else [low] if rows is low else [low, rows]
    for way in ways:
        if trade.least or least_any(way) <= room:
            start = plain.order() if way is low else best_order(way).order
            yield from _again(plain, graph, way, start, site, trade, room, most)
    yield from cut.programs()


@dataclass
class _Cuts:
    """Programs like ``plain`` by channels, in at most ``most`` seconds."""

    plain: Program
    site: Site
    room: int
    most: float
    cuts: Cuts
    trade: Trade

    @cached_property
    def ways(self) -> list[_Way]:
        return list(self._ways())

    def _ways(self) -> Iterator[_Way]:
        for cut, low in self.cuts(self.plain.name):
            way = streamed(low, self.room) if self.trade.stream else low
            price = _price(way, self.site.device, self.trade)
            if sum(price.seconds(k) for k in way.kernels) <= self.most:
                order = lowest_peak(way, bound_of_any_order(way))
                yield _Way(bound_of_order(way, order), cut, way, order)

    @property
    def peak(self) -> float:
        """Of the smallest."""
        return min((w.peak for w in self.ways), default=inf)

    def programs(self) -> Iterator[Program]:
        """As they are, then with more made again; to the least, only of the smallest."""
        if self.trade.least:
            ways: Iterable[_Way] = [w for w in self.ways if w.peak == self.peak][:1]
        else:
            ways = self._ways()
        tried = []
        for w in ways:
            tried.append(w)
            if w.peak <= self.room:
                floor = bound_of_any_order(w.low)
                program = placed_program(self.plain.name, w.cut.graph, w.low, w.order, floor, self.site)
                yield self._of(w, _saved(self.plain, w.low, program))
                if program.transient_bytes <= self.room:
                    return  # the ways that follow take longer
        for w in tried:
            if self.trade.least or least_any(w.low) <= self.room:
                args = w.low, w.order, self.site, self.trade, self.room, self.most
                for program in _again(self.plain, w.cut.graph, *args):
                    yield self._of(w, program)
                    if program.transient_bytes <= self.room:
                        return

    def _of(self, way: _Way, program: Program) -> Program:
        assert program.saved is not None
        return replace(program, saved=replace(program.saved, regions=way.cut.regions, pieces=way.cut.pieces))


def _again(
    plain: Program, graph: Graph, way: Lowered, start: Sequence[int], site: Site, trade: Trade, room: int, most: float
) -> Iterator[Program]:
    """Programs with values of ``way`` made again or paged, in at most ``most`` seconds: the first that keeps the room
    is the last. start: an order of ``way``."""
    price = _price(way, site.device, trade)
    terms = replace(trade, least=trade.least and not room)
    aim = room
    for _ in range(PLACES):
        found = save(way, start, aim, price, terms, most)
        if found is None:
            return
        program = placed_program(plain.name, graph, *found, bound_of_any_order(found[0]), site)
        storage = site.device.storage
        if program.storage_bytes <= min(STORED, storage.size if storage is not None else 0):
            yield _saved(plain, way, program)
        gap = program.transient_bytes - room
        if gap <= 0 or program.bound_bytes > aim or terms.least:
            return
        aim -= gap


def _saved(plain: Program, low: Lowered, program: Program) -> Program:
    """``program``, a sequence of the kernels of ``low``, with what it gave."""
    kernels = [program.kernels[k] for k in program.order()]
    paged = {way: sum(k.params["bytes"] for k in kernels if k.family == way) for way in PAGES}
    again = sum(k.family not in PAGES for k in kernels) - len(low.kernels)
    rows = sum(len(k.inner) for k in kernels)
    gave = (plain.transient_bytes, plain.seconds, plain.joules, rows, again, paged["page_out"], paged["page_in"])
    return replace(program, saved=Saved(*gave))


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
