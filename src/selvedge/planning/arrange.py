"""Graphs x device -> an arrangement: every program lowered, ordered and placed over one state and one arena."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from math import inf

import numpy as np

from ..device.device import Device
from ..errors import NotSupported
from ..ir.graph import ITEM_BYTES, Graph, Value
from .bound import bound_of_any_order
from .channels import Cut, cuts
from .kernel import FLASH, STATE, Lowered
from .lighten import ends, programs
from .lower import lower
from .program import Site, machine, plain_program
from .saving import least_any
from .schedule import Arrangement, Choice, Memory, Program, Slot
from .search import descend
from .small import made_small
from .tally import Steps
from .trade import NOTHING, Trade


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

    room: bytes of RAM for the arena. As ``trade`` allows: masks stand for activations where that lowers a program's
    peak; and a program that is too large keeps codes for them, works by rows, makes values again or pages them, in at
    most ``latency`` seconds. Where that does not suffice it is as it is without.
    """
    return Draft(graphs, device).arranged(choices, room=room, latency=latency, trade=trade)


class Draft:
    """What of an arrangement is the same for every room, latency and trade; each part is made when first asked for, so
    that what cannot fit is known for little."""

    def __init__(
        self,
        graphs: Mapping[str, Graph],
        device: Device,
        lowered: Mapping[str, Lowered] | None = None,
        smaller: Callable[[Graph], Graph] = lambda graph: graph,
        exact: Mapping[str, Graph] | None = None,
    ) -> None:
        """lowered: every program's kernels, where they are not those that :func:`lower` makes. exact: the graphs with
        all activations in full, where ``graphs`` are those as ``smaller`` makes them."""
        self.graphs, self.device, self._lowered = graphs, device, lowered
        self._exact, self._smaller_graph = exact or graphs, smaller
        self._cuts: dict[str, list[tuple[Cut, Lowered]]] = {}
        self._smaller: dict[tuple[bool, bool, float], Draft] = {}
        self.dtype = _real(graphs)
        self.limits = machine(device, self.dtype)
        self.updated = {name for g in graphs.values() for name in g.updates}
        self.align = max(device.alignment, ITEM_BYTES[self.dtype])
        state = {name: v for g in graphs.values() for name, v in g.state.items()}
        self.slots, self.persistent, self._weights = _slots(state, self.updated, self.align)

    @cached_property
    def lowered(self) -> Mapping[str, Lowered]:
        """Every program's kernels."""
        if self._lowered is not None:
            return self._lowered
        return {name: self._lower(g) for name, g in self.graphs.items()}

    @cached_property
    def least(self) -> int:
        """Bytes that no arena for these programs can do without, whatever is made again or paged; by rows or by
        channels, fewer may do."""
        return self.persistent + max(least_any(low) for low in self.lowered.values())

    @cached_property
    def floor(self) -> int:
        """Bytes that no arena for these programs can do without, by rows either: all inputs of a program lie there when
        it begins, and all its outputs when it ends."""
        return self.persistent + max(ends(low) for low in self.lowered.values())

    @cached_property
    def plain(self) -> dict[str, Program]:
        """Every program ordered and placed, with nothing made again or paged."""
        site = self._site(None, inf)
        return {name: plain_program(name, self.graphs[name], low, site) for name, low in self.lowered.items()}

    @cached_property
    def _constants(self) -> tuple[dict[str, Slot], dict[str, np.ndarray], int]:
        return _constants(self.lowered, self._weights)

    def _site(self, room: int | None, latency: float) -> Site:
        left = None if room is None else room - self.persistent
        return Site(self.device, self.slots, self._constants[0], self.persistent, self.align, left, latency)

    def _small(self, trade: Trade, room: int | None) -> Draft:
        """The draft with masks and codes where ``trade`` and ``room`` want them; itself where they want none."""
        enough = -1.0 if trade.least else inf if room is None else room - self.persistent
        key = trade.masks, trade.int8_activations, enough
        if key not in self._smaller:
            low = {n: _lowered(g, self.lowered[n], self._lower, trade, enough) for n, g in self.graphs.items()}
            same = all(graph is self.graphs[n] for n, (graph, _) in low.items())
            graphs, lowered = {n: g for n, (g, _) in low.items()}, {n: k for n, (_, k) in low.items()}
            codes = trade.int8_activations and any(_has_codes(g) for g in graphs.values())
            made = Draft(graphs, self.device, lowered, partial(made_small, codes=codes), self.graphs)
            self._smaller[key] = self if same else made
        return self._smaller[key]

    def _by_channels(self, name: str) -> Iterator[tuple[Cut, Lowered]]:
        """Program ``name`` by channels, in more and more of its places."""
        if name not in self._cuts:
            self._cuts[name] = []
            for cut in cuts(self._exact[name]):
                small = replace(cut, graph=self._smaller_graph(cut.graph))
                self._cuts[name].append((small, self._lower(small.graph)))
        yield from self._cuts[name]

    def _lower(self, graph: Graph) -> Lowered:
        return lower(graph, self.limits, self.updated)

    def arranged(
        self, choices: Sequence[Choice] = (), *, room: int | None = None, latency: float = inf, trade: Trade = NOTHING
    ) -> Arrangement:
        """The arrangement; the arguments are those of :func:`arrange`."""
        smaller = self._small(trade, room) if self._lowered is None else self
        if smaller is not self:
            small = smaller.arranged(choices, room=room, latency=latency, trade=trade)
            # A mask lives as long as what it stands for, and beside it for a while: not every peak is lower with one.
            kept = not trade.least and (room is None or small.memory.arena <= room)
            if kept or small.memory.transient <= max(p.transient_bytes for p in self.plain.values()):
                return small
            exact = replace(trade, masks=False, int8_activations=False)
            return self.arranged(choices, room=room, latency=latency, trade=exact)
        made = programs(self.plain, self.graphs, self.lowered, self._site(room, latency), trade, self._by_channels)
        constants, values, weights = self._constants
        memory = Memory(
            self.persistent,
            max(p.transient_bytes for p in made.values()),
            weights,
            _code(made.values()),
            self.persistent + max(p.bound_bytes for p in made.values()),
            self.persistent + max(p.any_order_bytes for p in made.values()),
            max(p.storage_bytes for p in made.values()),
        )
        return Arrangement(
            made, self.slots, constants, values, memory, self.align, self.limits.lanes, self.dtype, tuple(choices)
        )


def _lowered(
    graph: Graph, low: Lowered, lower: Callable[[Graph], Lowered], trade: Trade, enough: float
) -> tuple[Graph, Lowered]:
    """``graph`` and its kernels ``low``, or what stands for them: with masks where they lower its peak or that is above
    ``enough``; where it is so even then, with codes if they lower it further. Peaks are those of a short search for an
    order."""
    small = made_small(graph, codes=False) if trade.masks else graph
    if small is not graph:
        other = lower(small)
        plain = _peak(low)
        if _peak(other) < plain or plain > enough:
            graph, low = small, other
    if not trade.int8_activations or (exact := _peak(low)) <= enough:
        return graph, low
    coded = made_small(graph, codes=True)
    if coded is not graph and _peak(other := lower(coded)) < exact:
        return coded, other
    return graph, low


def _has_codes(graph: Graph) -> bool:
    return any(node.op == "quantize_channels" for node in graph.nodes())


def _peak(low: Lowered) -> int:
    return descend(Steps.of(low), bound_of_any_order(low))[0]


def _real(graphs: Mapping[str, Graph]) -> str:
    """The one float dtype of ``graphs``. Raises ``NotSupported`` where a second one appears: an emitted unit has one
    real type, float32 where nothing in it is real."""
    dtype = ""
    for node in dict.fromkeys(n for g in graphs.values() for n in g.nodes()):
        for spec in node.specs:
            if spec.is_float and spec.dtype != (dtype := dtype or spec.dtype):
                fix = (
                    f"{spec.dtype} where the rest is {dtype}; bring the model and its inputs to one, say with .float()"
                )
                raise NotSupported(f"{node.op} in {spec.dtype}", node.where, fix)
    return dtype or "float32"


# Bytes of .text on a Cortex-M4 (arm-none-eabi-gcc -O2): over the zoo the kernels themselves take at most 20 KiB, and
# each call of one, with its dimensions and its loop, at most 130 bytes. From above: tests/firmware compares.
CODE_BASE, CODE_CALL = 20 * 1024, 130


def _code(programs: Iterable[Program]) -> int:
    calls = (max(1, len(k.inner)) for p in programs for k in p.kernels.values())
    return CODE_BASE + CODE_CALL * sum(calls)


def _slots(state: Mapping[str, Value], updated: set[str], align: int) -> tuple[dict[str, Slot], int, int]:
    """State slots, the persistent bytes (padded so that the transient part starts aligned), and the bytes of weights.

    What is a multiple of the alignment comes first: then nothing needs padding to stay aligned. The initial values of
    the trainable state lie in the weights exactly as they will in RAM.
    """

    def key(name: str) -> tuple[bool, bool, int]:
        spec = state[name].spec
        return spec.bytes % align != 0, spec.bytes % 8 != 0, -ITEM_BYTES[spec.dtype]

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
                if name in slots:
                    continue  # two that are equal
                weights = -(-weights // 8) * 8
                slots[name] = Slot(name, FLASH, weights, i.spec.bytes, i.spec.dtype, i.spec.shape, "constant", weights)
                values[name] = low.constants[i.id]
                weights += i.spec.bytes
    return slots, values, weights
