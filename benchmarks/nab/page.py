"""The study as a table and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from selvedge.draw.chart import Box, Chart, Key, Line, Tick
from selvedge.draw.curves import drawn
from selvedge.draw.standalone import standalone
from selvedge.draw.ticks import numbers, ticks, widened

from . import native
from .corpus import corpus


def table(result: Mapping[str, Any]) -> str:
    lines = [
        "| detector | published | whole corpus | held out, five folds | another group | bytes | µs, C | µs, Python |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in result["rows"]:
        held, spent = row["held out"], row.get("microseconds", {})
        cells = (
            f"{row['published']:.2f}" if "published" in row else "",
            f"{row['whole']:.2f}",
            f"{held['mean']:.2f} ({held['low']:.2f} to {held['high']:.2f})",
            f"{row['held out by group']['score']:.2f}",
            f"{row['state bytes']:,}" if "state bytes" in row else "",
            f"{spent['C']:.1f}" if spent else "",
            f"{spent['Python']:.0f}" if spent else "",
        )
        lines.append(f"| {row['detector']} | {' | '.join(cells)} |")
    own = result["rows"][-1]
    alone = own["held out, threshold alone"]
    small = ", ".join(f"{score:.1f} with {count}" for count, score in own["whole by values held"].items())
    found = sum(f["found"] for f in result["files"])
    false = sum(f["false alarms"] for f in result["files"])
    windows = sum(f["windows"] for f in result["files"])
    lines += [
        "",
        f"Standard profile. Held out: {result['folds']} folds of files, threshold and settings (of "
        f"{len(result['grid'])} for novelty) the best on the other four; mean and range of {result['partitions']} "
        f"random partitions. Another group: each of NAB's seven groups judged by what was best on the other six. With "
        f"the default settings and only the threshold held out novelty has {alone['mean']:.2f} ({alone['low']:.2f} to "
        f"{alone['high']:.2f}). On the whole corpus it finds {found} of {windows} windows with {false} false alarms; "
        f"holding fewer values it scores {small}.",
    ]
    return "\n".join(lines)


def picture(name: str, threshold: float) -> str:
    """One series with its labelled windows and our alarms, as an SVG document."""
    series = next(s for s in corpus() if s.name == name)
    alarms = np.flatnonzero(native.scores(series.values, series.times) >= threshold)
    alarms = alarms[alarms >= series.judged.probation]
    rows, values = series.values.size, series.values
    low, high = widened(float(values.min()), float(values.max()))
    across, up = ticks(0, rows, 6), ticks(low, high)
    points = drawn([(i / rows, (float(v) - low) / (high - low)) for i, v in enumerate(values)])
    boxes = [
        Box(a / rows, (b + 1) / rows, 0, 1, "e", "window", f"labelled: rows {a} to {b}") for a, b in series.windows
    ]
    boxes += [Box(i / rows - 0.0012, i / rows + 0.0012, 0, 1, "limit", "alarm", f"alarm at row {i}") for i in alarms]
    return standalone(
        Chart(
            f"{name}: what novelty finds",
            "row",
            "value",
            [Tick(x / rows, text) for x, text in zip(across, numbers(across), strict=True)],
            [Tick((y - low) / (high - low), text) for y, text in zip(up, numbers(up), strict=True)],
            [Key("value", "a", "line"), Key("labelled window", "e", "box"), Key("alarm", "limit", "box")],
            [Line("value", "a", points)],
            boxes,
        )
    )


def pictures(threshold: float, names: Sequence[str]) -> dict[str, bytes]:
    """Files of ``docs/pictures``: name -> content."""
    return {
        f"nab-{name.rpartition('/')[2].removesuffix('.csv')}.svg": picture(name, threshold).encode() for name in names
    }
