"""An advice as text of at most 100 columns: the verdict, the ways beside each other, the arithmetic, the sources."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from math import isfinite
from typing import TYPE_CHECKING

from ..device.sizes import format_bytes
from .figure import number
from .way import ALONE, CENTRAL, CLOUD, EDGE, FEDERATED, Way

if TYPE_CHECKING:
    from .advise import Advice

WIDTH, LABEL, CELL = 100, 16, 28
TIE = "\x00"  # a blank where no line may end
DOES = {EDGE: "run it on the device", CLOUD: "run it in the cloud"}
LEARNS = {ALONE: "learn there", FEDERATED: "learn there, federated", CENTRAL: "learn in the cloud"}


def verdict(advice: Advice) -> str:
    """One line: what to do, what it costs, what is against the others; or what stands in the way of all."""
    best = advice.best
    what = DOES.get(best.kind) or f"cut it behind layer {best.at}, {'' if best.cut is None else best.cut.name}"
    if best.learning in LEARNS:
        what += f" and {LEARNS[best.learning]}"
    if not best.feasible:
        broken = "; ".join(map(str, best.broken))
        return f"nothing keeps every limit; nearest is {best.kind} ({what}): {broken}"
    energy = "" if best.joules_per_day is None else f", {engineering(best.joules_per_day, 'J')} a day"
    if best.money_per_day:
        energy += f", {number(float(f'{best.money_per_day:.3g}'))} of money a day"
    figures = f"{engineering(best.latency_s, 's')}, {size(best.bytes_per_day)} a day over the link{energy}"
    others = [f"{way.kind} {_against(way, advice)}" for way in advice.ways if way is not best]
    warned = ["features can be inverted into samples"] if best.cut is not None else []
    return f"{best.kind}: {what}: {figures}; {'; '.join(others + warned)}"


def _against(way: Way, advice: Advice) -> str:
    """Why it is not ``way``."""
    if way.broken:
        return f"breaks {' and '.join(limit.name for limit in way.broken)}"
    best = advice.best
    pairs = {
        "money": (way.money_per_day, best.money_per_day),
        "energy": (way.joules_per_day, best.joules_per_day),
        "latency": (way.latency_s, best.latency_s),
        "bytes": (way.bytes_per_day, best.bytes_per_day),
    }
    first = advice.scenario.wants.prefer
    for name in (first, *(key for key in pairs if key != first)):
        own, other = pairs[name]
        if own is not None and other is not None and own > other * (1 + 1e-9):
            times = f" (x {own / other:.3g})" if other else ""
            return f"costs more {name}{times}"
    return "costs the same, and more leaves the device"


def table(advice: Advice) -> tuple[list[str], list[list[str]]]:
    """(head, rows) of the ways beside each other; the first cell of a row names it."""
    rows = [
        ["latency", *(engineering(w.latency_s, "s") for w in advice.ways)],
        ["sent a day", *(size(w.up_bytes_per_day) for w in advice.ways)],
        ["received a day", *(size(w.down_bytes_per_day) for w in advice.ways)],
        ["energy a day", *(engineering(w.joules_per_day, "J") for w in advice.ways)],
        ["  computing", *(engineering(w.compute_j_per_day, "J") for w in advice.ways)],
        ["  radio", *(engineering(w.radio_j_per_day, "J") for w in advice.ways)],
        ["money a day", *(f"{number(float(f'{w.money_per_day:.4g}'))}" for w in advice.ways)],
        ["RAM to run", *(size(w.run_ram_bytes) for w in advice.ways)],
        ["flash to run", *(size(w.run_flash_bytes) for w in advice.ways)],
        ["RAM to train", *(size(w.train_ram_bytes) for w in advice.ways)],
        ["flash to train", *(size(w.train_flash_bytes) for w in advice.ways)],
        ["learns", *(w.learning for w in advice.ways)],
        ["leaves", *(", ".join(w.leaves) or "nothing" for w in advice.ways)],
        ["keeps limits", *("yes" if w.feasible else "no" for w in advice.ways)],
        ["binds", *(_binds(w) for w in advice.ways)],
    ]
    head = ["", *(way.name for way in advice.ways)]
    return head, rows


def text(advice: Advice) -> str:
    """All of it."""
    scenario, costs = advice.scenario, advice.costs
    devices = "1 device" if scenario.fleet == 1 else f"{number(scenario.fleet)} devices"
    lines = [f"{scenario.name}: {costs.model} on {costs.device}, {devices}", ""]
    lines += [*_wrap(advice.verdict), ""]
    head, rows = table(advice)
    lines += ["".join(_cells(row)).rstrip() for row in (head, *rows)]
    for way in advice.ways:
        lines += ["", f"{way.name}{'' if way.feasible else ' - does not keep every limit'}"]
        lines += [line for limit in way.broken for line in _wrap(f"{limit}; {limit.fix}", "  ! ")]
        lines += [line for found in way.sums for line in _wrap(str(found), "  ")]
    if len(advice.learnings) > 1:
        lines += ["", "edge, by where it learns:"]
        lines += [line for way in advice.learnings for line in _wrap(f"{way.learning}: {_short(way)}", "  ")]
    if advice.splits:
        lines += ["", "every cut:", *_cuts(advice)]
    if advice.notes:
        lines += ["", "notes:", *(line for note in advice.notes for line in _wrap(note, "  "))]
    assumed = [f"{name} = {_value(value)} ({source})" for name, value, source in scenario.assumed()]
    if assumed:
        lines += ["", "taken as given, since nobody said otherwise:"]
        lines += [line for one in assumed for line in _wrap(one, "  ")]
    return "\n".join(lines)


def _cuts(advice: Advice) -> Iterator[str]:
    yield f"  {'at':>3} {'behind':<28}{'crosses':>11}{'latency':>11}{'energy a day':>14}{'RAM':>11}  limits"
    for way in advice.splits:
        assert way.cut is not None
        crosses = way.cut.crossing_bytes(advice.scenario.split_dtype)
        name = way.cut.name if len(way.cut.name) <= 26 else f"{way.cut.name[:10]}...{way.cut.name[-13:]}"
        kept = "kept" if way.feasible else f"{way.broken[0].name}"
        mark = " <" if way is advice.split else ""
        yield (
            f"  {way.at:>3} {name:<28}{size(crosses):>11}{engineering(way.latency_s, 's'):>11}"
            f"{engineering(way.joules_per_day, 'J'):>14}{size(way.run_ram_bytes):>11}  {kept}{mark}"
        )


def _short(way: Way) -> str:
    kept = "keeps every limit" if way.feasible else f"breaks {'; '.join(map(str, way.broken))}"
    return (
        f"{size(way.bytes_per_day)} a day over the link, {engineering(way.joules_per_day, 'J')} a day, "
        f"{number(float(f'{way.money_per_day:.4g}'))} of money a day; {kept}"
    )


def _binds(way: Way) -> str:
    if way.binds is None:
        return "nothing"
    used = f"{way.binds.used:.3g} of it" if isfinite(way.binds.used) else "forbidden or absent"
    return f"{way.binds.name}: {used}"


def _cells(row: list[str]) -> Iterator[str]:
    yield f"{row[0]:<{LABEL}}"
    for cell in row[1:]:
        short = cell if len(cell) < CELL else f"{cell[: CELL - 4]}..."
        yield f"{short:<{CELL}}"


def _value(value: object) -> str:
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _wrap(line: str, indent: str = "") -> list[str]:
    """A number keeps its unit."""
    deeper = " " * (len(indent) + 2) if indent else ""
    tied = re.sub(r"(?<=\d) (?=(?:B|s|J|W|MAC|J/B|B/s|MAC/s)\b)", TIE, line)
    lines = textwrap.wrap(
        tied, WIDTH, initial_indent=indent, subsequent_indent=deeper, break_on_hyphens=False, break_long_words=False
    )
    return [found.replace(TIE, " ") for found in lines]


def size(value: float | None) -> str:
    """Bytes as "12 KiB"; "-" where there are none to speak of."""
    if value is None:
        return "-"
    return "never ends" if not isfinite(value) else format_bytes(round(value))


def engineering(value: float | None, unit: str) -> str:
    """Three digits and a prefix; "-" where it is not known."""
    if value is None:
        return "-"
    if not isfinite(value):
        return "never"
    if not value:
        return f"0 {unit}"
    steps: tuple[tuple[float, str], ...] = ((1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
    if unit == "s":
        steps = steps[2:]
    factor, prefix = next((step for step in steps if value >= step[0]), steps[-1])
    scaled = float(f"{value / factor:.3g}")
    return f"{scaled:,g} {prefix}{unit}"
