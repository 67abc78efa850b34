"""The memory timeline: every buffer of a program a rectangle, over the kernels at which it lives."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..device.sizes import format_bytes
from ..planning.schedule import STATE, Arrangement, Program, Slot
from .chart import Box, Chart, Key, Level, Mark, Tick
from .fragment import figure
from .lives import Life, Peak, called, live_bytes, lives, parts, peak
from .standalone import standalone
from .ticks import byte_ticks, in_unit, ticks

COLOURS = {"forward": "a", "backward": "b", "update": "c", "input": "f", "scratch": "d"}
MEANING = {"forward": "forward", "backward": "backward", "update": "update", "input": "inputs", "scratch": "scratch"}
SHARE = 0.3  # of the height, at most, for the persistent bytes: what passes is what moves
ROOM = 1.6  # a budget further away than this times the arena is named, not drawn


def memory(
    plan_arrangement: Arrangement, program: str = "step", budget: int | None = None, *, svg: bool = False
) -> str:
    """The timeline of ``program``: x is the position of a kernel in the order, y the byte offset in the arena.

    The persistent part lies at the bottom, in a smaller scale where it would crowd out the rest. ``budget`` (bytes of
    RAM) and the lower bound of this order are lines. As HTML, or with ``svg`` as a standalone SVG document.
    """
    chart = timeline(plan_arrangement, plan_arrangement.programs[program], budget)
    return standalone(chart) if svg else figure(chart)


def timeline(a: Arrangement, p: Program, budget: int | None) -> Chart:
    """The picture, before it is HTML or SVG."""
    found = lives(p)
    count = len(p.order())
    base, top = a.memory.persistent, a.memory.persistent + p.transient_bytes
    bound = base + p.bound_bytes
    near = budget is not None and budget <= ROOM * top
    high = max(top, budget or 0) if near else top
    high += (high - base) // 50  # so that the line at the very top is drawn whole
    up, squeezed = _scale(base, high)

    def across(position: int) -> float:
        return (position + 1) / (count + 2)

    cut = parts(a)
    boxes = [_slot(s, cut.get(s.name), up, i) for i, s in enumerate(_persistent(a))]
    names = [called(p, p.kernels[k], a.slots) for k in p.order()]
    boxes += [_buffer(names, life, across, up) for life in found]
    live = live_bytes(p, found)
    most = peak(p)
    held = most.held[:3]
    levels = [Level(up(bound), "c", dashed=True)]
    keys = [Key(MEANING[r], COLOURS[r], "box") for r in MEANING if any(x.role == r for x in found)]
    if base:
        keys.append(
            Key("learns, always there", "e", "box striped", f"{base:,} B" + (", not to scale" if squeezed else ""))
        )
    keys.append(Key("lower bound", "c", "dashed", f"{bound:,} B"))
    if budget is not None:
        keys.append(Key("budget", "limit", "line", f"{budget:,} B" + ("" if near else ", far above")))
        if near:
            levels.append(Level(up(budget), "limit"))
    rows, unit = _rows(base, high, squeezed)
    columns = ["before the first kernel"]
    columns += [
        f"kernel {i + 1} of {count}, {name}: {base + n:,} B live"
        for i, (name, n) in enumerate(zip(names, live, strict=True))
    ]
    columns.append("after the last kernel")
    return Chart(
        f"Memory of {p.name}: {top:,} B",
        f"kernels of {p.name}, in order",
        f"byte offset in the arena, {unit}",
        [Tick((x + 0.5) / (count + 2), f"{x:.0f}") for x in ticks(1, max(2, count), 6) if 1 <= x <= count],
        [Tick(up(y), in_unit(y, unit)) for y in rows],
        keys,
        boxes=boxes,
        levels=levels,
        marks=[
            Mark((across(x.start) + across(x.stop + 1)) / 2, (up(x.offset) + up(x.offset + x.bytes)) / 2, str(i + 1))
            for i, x in enumerate(held)
        ],
        columns=columns,
        notes=[_peak(names, most, base)],
        height=340,
    )


def _scale(base: int, high: int) -> tuple[Callable[[int], float], bool]:
    """Byte offset -> height, and whether the persistent bytes are drawn smaller than the rest."""
    squeezed = base > SHARE * high and high > base
    foot = SHARE if squeezed else base / high if high else 0.0

    def up(offset: int) -> float:
        if offset <= base:
            return foot * offset / base if base else 0.0
        return foot + (1 - foot) * (offset - base) / (high - base)

    return up, squeezed


def _rows(base: int, high: int, squeezed: bool) -> tuple[Sequence[int], str]:
    """Ticks of the byte axis: of what passes alone where the rest is not to scale."""
    found, unit = byte_ticks(base if squeezed else 0, high)
    return ([0, *found] if squeezed and found[0] != 0 else found), unit


def _persistent(a: Arrangement) -> list[Slot]:
    return sorted((s for s in a.slots.values() if s.region == STATE), key=lambda s: s.offset)


def _slot(s: Slot, part: int | None, up: Callable[[int], float], i: int) -> Box:
    """part: bytes that learn, where those are not all."""
    learns = "" if part is None else f"; {part:,} B of it learn"
    says = f"{s.name} ({s.kind}): {s.bytes:,} B at {s.offset:,}, always{learns}"
    data = {"name": s.name, "bytes": str(s.bytes), "offset": str(s.offset)}
    return Box(0.0, 1.0, up(s.offset), up(s.offset + s.bytes), "e", "slot", says, i % 3, data)


def _buffer(names: Sequence[str], life: Life, across: Callable[[int], float], up: Callable[[int], float]) -> Box:
    by = "given before the first kernel"
    if life.maker is not None:
        by = f"by kernel {life.maker + 1}, {names[life.maker]}"
    first, last = max(life.start, 0) + 1, min(life.stop, len(names) - 1) + 1
    while_ = f"kernel {first}" if first == last else f"kernels {first}-{last}"
    says = f"{life.name} ({life.role}): {life.bytes:,} B at {life.offset:,}, {while_}; {by}"
    data = {
        "name": life.name,
        "bytes": str(life.bytes),
        "offset": str(life.offset),
        "start": str(life.start),
        "stop": str(life.stop),
        "instance": str(life.instance),
    }
    return Box(
        across(life.start), across(life.stop + 1), up(life.offset), up(life.offset + life.bytes),
        COLOURS[life.role], "buffer", says, life.instance % 3, data,
    )  # fmt: skip


def _peak(names: Sequence[str], most: Peak, base: int) -> str:
    largest = "; ".join(
        f"{i + 1}: {x.name}, {format_bytes(x.bytes)}" + (f", by {names[x.maker]}" if x.maker is not None else "")
        for i, x in enumerate(most.held[:3])
    )
    return (
        f"Most is live at kernel {most.position + 1}, {names[most.position]}: {base + most.bytes:,} B. "
        f"The largest buffers there are {largest}."
    )
