"""An advice as a page: the verdict, the ways, latency and energy against the cut, and the arithmetic."""

from __future__ import annotations

from html import escape
from math import isfinite

from .. import draw
from ..advising import Advice, Way
from ..advising.figure import number
from ..advising.tell import engineering, size, table


def page(advice: Advice) -> str:
    """A self-contained HTML document."""
    head, rows = table(advice)
    best = next(i for i, way in enumerate(advice.ways) if way is advice.best)
    tiles = [
        (advice.best.name, "advice" if advice.feasible else "nearest; no way keeps every limit"),
        (engineering(advice.best.latency_s, "s"), "from a sample to its answer"),
        (size(advice.best.bytes_per_day), "a day over the link"),
        (engineering(advice.best.joules_per_day, "J"), "a day on the device"),
    ]
    parts = [
        f"<p>{escape(advice.verdict)}</p>",
        draw.tiles(tiles),
        draw.section("The ways", draw.table([*head[:1], *(_starred(h, i == best) for i, h in enumerate(head[1:]))],
                                            rows)),
    ]  # fmt: skip
    if advice.splits:
        parts += [
            draw.section("Latency, by where it is cut", _latency(advice)),
            draw.section("Energy a day, by where it is cut", _energy(advice)),
            draw.section("What crosses", _crossing(advice)),
        ]
    for way in advice.ways:
        lines = "".join(f"<li>{escape(str(line))}</li>" for line in way.sums)
        parts.append(draw.section(f"The arithmetic: {way.name}", f"<ul>{lines}</ul>"))
    assumed = [f"{name} = {_said(value)}: {source}" for name, value, source in advice.scenario.assumed()]
    told = "".join(f"<li>{escape(line)}</li>" for line in (*advice.notes, *assumed))
    parts.append(draw.section("What it rests on", f"<ul>{told}</ul>"))
    subtitle = f"{advice.costs.model} on {advice.costs.device}, {advice.scenario.fleet:,g} devices"
    return draw.page(advice.scenario.name, parts, subtitle=subtitle)


def _said(value: object) -> str:
    return number(value) if isinstance(value, int | float) else str(value)


def _starred(name: str, best: bool) -> str:
    return f"{name} *" if best else name


def _ways(advice: Advice) -> list[Way]:
    """From sending the sample itself to sending nothing."""
    return [advice.cloud, *advice.splits, advice.edge]


SEEN = 4.0  # times what is highest otherwise
AXIS = "layers on the device: 0 is the cloud, the last is the edge"


def _latency(advice: Advice) -> str:
    ways = _ways(advice)
    lines = [
        draw.Line("latency", "a", [(float(i), way.latency_s) for i, way in enumerate(ways)]),
        draw.Line("of it the device", "b", _parts(ways, "device computes")),
        draw.Line("of it the uplink", "c", _parts(ways, "sent up")),
        draw.Line("of it the cloud", "d", _parts(ways, "cloud computes")),
    ]
    lines += _limit(advice.scenario.wants.latency_s, lines)
    return draw.curves("Latency by cut", AXIS, "seconds", lines)


def _energy(advice: Advice) -> str:
    ways = _ways(advice)
    kinds = (("all", "a", "joules_per_day"), ("computing", "b", "compute_j_per_day"), ("radio", "c", "radio_j_per_day"))
    lines = [
        draw.Line(label, colour, [(float(i), y) for i, way in enumerate(ways) if (y := getattr(way, name)) is not None])
        for label, colour, name in kinds
    ]
    if not any(line.points for line in lines):
        return "<p>No figures of energy.</p>"
    lines += _limit(advice.scenario.wants.joules_per_day, lines)
    return draw.curves("Energy by cut", AXIS, "joules a day", [line for line in lines if line.points])


def _limit(limit: float | None, lines: list[draw.Line]) -> list[draw.Line]:
    """A line across the picture, unless it is so far above that nothing else could be seen."""
    points = [point for line in lines for point in line.points]
    if limit is None or limit > SEEN * max((y for _, y in points), default=0.0):
        return []
    return [draw.Line("limit", "limit", [(0.0, limit), (max(x for x, _ in points), limit)], dashed=True)]


def _crossing(advice: Advice) -> str:
    rows = []
    for way in advice.splits:
        assert way.cut is not None
        crosses = way.cut.crossing_bytes(advice.scenario.split_dtype)
        kept = "kept" if way.feasible else ", ".join(limit.name for limit in way.broken)
        rows.append(
            [str(way.at), way.cut.name, size(crosses), engineering(way.latency_s, "s"), size(way.run_ram_bytes), kept]
        )
    return draw.table(["", "behind", "crosses", "latency", "RAM", "limits"], rows)


def _parts(ways: list[Way], name: str) -> list[tuple[float, float]]:
    """That line of the arithmetic for each way; 0 where it has none."""
    values = [next((line.value for line in way.sums if line.name == name), 0.0) for way in ways]
    return [(float(i), value) for i, value in enumerate(values) if isfinite(value)]
