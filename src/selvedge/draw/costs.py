"""Where a program's work goes: bars per layer, split into forward, backward and update."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..device.cost import seconds
from ..device.device import Device
from ..planning.kernel import Kernel
from ..planning.program import works
from ..planning.schedule import Arrangement, Program, Slot
from ..planning.work import bytes_moved
from .bars import Bars, Cell, figure, standalone
from .chart import Key
from .lives import BACKWARD, FORWARD, UPDATE, called, layer, phases

COLOURS = {FORWARD: "a", BACKWARD: "b", UPDATE: "c"}
ROWS = 16  # the costliest are shown one by one


@dataclass(slots=True)
class Cost:
    """MACs, bytes moved and, where a device is known, seconds, by phase."""

    macs: dict[str, float] = field(default_factory=dict)
    bytes: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    timed: bool = True

    def rank(self, timed: bool) -> tuple[float, ...]:
        """What the costliest has most of."""
        return tuple(sum(of.values()) for of in ([self.seconds] if timed else []) + [self.macs, self.bytes])


def costs(
    arrangement: Arrangement,
    program: str = "step",
    *,
    device: Device | None = None,
    most: int = ROWS,
    svg: bool = False,
) -> str:
    """Bars of ``program``'s MACs, bytes moved and, with a ``device`` that has the rates, seconds: for each layer, the
    costliest first, and for the rest together.

    A kernel belongs to the layer whose parameters it reads first, else to its own kind. A gradient that is applied as
    it is made counts as update. As HTML, or with ``svg`` as a standalone SVG document.
    """
    p = arrangement.programs[program]
    phase = phases(p)
    rows: dict[str, Cost] = {}
    for k in p.kernels.values():
        name = layer(p, k, arrangement.slots) or called(p, k, arrangement.slots)
        _add(rows.setdefault(name, Cost()), phase[k.id], k, p, arrangement, device)
    every = list(rows.values())
    timed = device is not None and all(c.timed for c in every)
    ranked = sorted(rows.items(), key=lambda r: r[1].rank(timed), reverse=True)
    shown, rest = ranked[:most], ranked[most:]
    if len(rest) == 1:
        shown, rest = ranked, []
    used = [x for x in COLOURS if x in phase.values()]
    chart = Bars(
        f"Cost of {p.name}, by layer",
        ["MACs", "bytes moved", *(["time"] if timed else [])],
        (f"all {len(p.kernels)} kernels", _cells(_sum(every), used, timed)),
        [(label, _cells(cost, used, timed)) for label, cost in shown],
        (f"{len(rest)} others", _cells(_sum([c for _, c in rest]), used, timed)) if rest else None,
        [Key(x, COLOURS[x], "box") for x in used],
        _notes(p, arrangement.slots, timed, device),
    )
    return standalone(chart) if svg else figure(chart)


def _add(cost: Cost, phase: str, k: Kernel, p: Program, a: Arrangement, device: Device | None) -> None:
    """One kernel more."""
    cost.macs[phase] = cost.macs.get(phase, 0) + k.macs
    cost.bytes[phase] = cost.bytes.get(phase, 0) + bytes_moved(k, p.instances)
    time = None if device is None else _seconds(device, k, p, a)
    if time is None:
        cost.timed = False
    else:
        cost.seconds[phase] = cost.seconds.get(phase, 0) + time


def _seconds(device: Device, k: Kernel, p: Program, a: Arrangement) -> float | None:
    """Predicted seconds of one kernel, as the plan predicts them."""
    arena = a.memory.persistent + p.transient_bytes
    return seconds(device, works([k], p.instances, device, arena))


def _sum(costs: list[Cost]) -> Cost:
    total = Cost()
    for cost in costs:
        total.timed &= cost.timed
        for to, of in ((total.macs, cost.macs), (total.bytes, cost.bytes), (total.seconds, cost.seconds)):
            for phase, value in of.items():
                to[phase] = to.get(phase, 0) + value
    return total


def _cells(cost: Cost, phases: list[str], timed: bool) -> list[Cell]:
    measures = [(cost.macs, _count), (cost.bytes, _count), *([(cost.seconds, seconds_text)] if timed else [])]
    return [
        Cell(text(sum(of.values())), [(COLOURS[x], of.get(x, 0.0)) for x in phases]) for of, text in measures
    ]  # fmt: skip


def _count(value: float) -> str:
    return f"{value:,.0f}"


def seconds_text(value: float) -> str:
    """Seconds in three digits."""
    for factor, prefix in ((1, ""), (1e-3, "m"), (1e-6, "µ")):
        if value >= factor:
            return f"{value / factor:.3g} {prefix}s"
    return f"{value / 1e-9:.3g} ns"


def _notes(p: Program, slots: Mapping[str, Slot], timed: bool, device: Device | None) -> list[str]:
    notes = ["Costliest layers first; what is between the lines is on one scale for each column."]
    if any(layer(p, k, slots) is None for k in p.kernels.values()):
        notes.append("A kernel that works on no parameters is listed by what it does.")
    if UPDATE in phases(p).values():
        notes.append("A gradient that is applied as it is made counts as update.")
    if timed and device is not None and p.seconds is not None:
        notes.append(f"Time is predicted for {device.name}.")
    return notes
