"""The tables: of time by size and codec, of memory by devices."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

LIMITS = {10_000: 1.0, 1_000_000: 5.0}  # parameters -> ms a device: 1 and 5 s a round of 1,000


def table(result: Mapping[str, Any]) -> str:
    lines = [
        "| parameters | devices | up | s a round, processor | least-most | by the clock | ms a device | wanted |",
        "|---:|---:|---|---:|---:|---:|---:|---|",
    ]
    for row in result["time"]:
        middle = median(row["seconds"])
        each, most = 1e3 * middle / row["clients"], LIMITS[row["parameters"]]
        told = f"< {most:g}" if each < most else f"**missed**: < {most:g}"
        lines.append(
            f"| {row['parameters']:,} | {row['clients']:,} | {row['up']} | {middle:.3g} | "
            f"{min(row['seconds']):.3g}-{max(row['seconds']):.3g} | {median(row['wall']):.3g} | {each:.2g} | {told} |"
        )
    lines += ["", "| devices | parameters | peak of Python's memory, MB | a device, kB |", "|---:|---:|---:|---:|"]
    for row in result["memory"]:
        lines.append(
            f"| {row['clients']:,} | {row['parameters']:,} | {row['peak'] / 1e6:.3g} | "
            f"{row['peak'] / row['clients'] / 1e3:.3g} |"
        )
    first, last = result["memory"][0], result["memory"][-1]
    flat = last["peak"] < 1.5 * first["peak"]
    times = f"{last['clients'] / first['clients']:.0f} times the devices take {last['peak'] / first['peak']:.1f} times"
    about = result["about"]
    lines += [
        "",
        f"{times} the memory: {'flat' if flat else '**missed**: wanted is flat'}.",
        "",
        f"{about['date']}, {about['cores']} cores of {about['cpu']}, load {about['load_before']} before it began.",
    ]
    return "\n".join(lines)
