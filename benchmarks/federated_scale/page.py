"""The tables and the picture: of time by size and codec, of memory by devices, and Flower's simulation beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from selvedge.draw.chart import Line
from selvedge.draw.curves import curves

LIMITS = {10_000: 1.0, 1_000_000: 5.0}  # parameters -> seconds a round of 1,000
CORES = 2
FLAT = 1.5  # times the memory that 100 times the devices may take


def table(result: Mapping[str, Any]) -> str:
    return "\n".join([*_times(result), "", *_memory(result), "", *_flower(result), "", *_about(result)])


def _times(result: Mapping[str, Any]) -> list[str]:
    lines = [
        "| parameters | devices | up | journal | threads | s a round of 1,000, processor | least-most | on two cores | "
        "by the clock | ms a device | wanted |",
        "|---:|---:|---|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for row in result["time"]:
        case = row["case"]
        times = 1000 / case["clients"]
        took, wall = [s * times for s in row["seconds"]], median(row["wall"]) * times
        middle, parallel = median(took), bound(row)
        most = LIMITS[case["parameters"]]
        told = f"< {most:g}" if parallel < most else f"**missed**: < {most:g}"
        if parallel < most <= wall:
            told += " by the processor's time; **missed** by the clock"
        lines.append(
            f"| {case['parameters']:,} | {case['clients']:,} | {case['up']} | "
            f"{'each event' if case['records'] else 'each move'} | {case['threads'] or 'none'} | {middle:.3g} | "
            f"{min(took):.3g}-{max(took):.3g} | {parallel:.3g} | {wall:.3g} | {middle:.2g} | {told} |"
        )
    least = 1e3 * result["floor"]
    return [
        *lines, "",
        f"The floor: a float32 update of 1,000,000 numbers that is hashed, made, copied and added up once each, and "
        f"nothing else, took {least:.1f} ms here at the same time: {least:.1f} s a round of 1,000 on one core, "
        f"{least / CORES:.1f} on two.",
    ]  # fmt: skip


def bound(row: Mapping[str, Any]) -> float:
    """Seconds that a round of 1,000 takes two cores that have nothing else to do, at the least: half of all, or the
    thread of the server where that has more; of one thread, all."""
    case, times = row["case"], 1000 / row["case"]["clients"]
    if not case["threads"]:
        return times * median(row["seconds"])
    return times * max(median(row["seconds"]) / CORES, median(row["own"]))


def _memory(result: Mapping[str, Any]) -> list[str]:
    lines = [
        "| parameters | devices | asked a round | up | one update, kB | peak resident, MB | peak of Python's, MB | "
        "a device more, kB |",
        "|---:|---:|---:|---|---:|---:|---:|---:|",
    ]
    verdicts = []
    for rows in _sizes(result).values():
        earlier = None
        for row in rows:
            case = row["case"]
            more = ""
            if earlier is not None:
                between = case["clients"] - earlier["case"]["clients"]
                more = f"{(row['resident'] - earlier['resident']) / between / 1e3:.2f}"
            lines.append(
                f"| {case['parameters']:,} | {case['clients']:,} | {case['asked'] or 'all'} | {case['up']} | "
                f"{row['up'] / 1e3:.3g} | {row['resident'] / 1e6:.3g} | {row['traced'] / 1e6:.3g} | {more} |"
            )
            earlier = row
        first, last = rows[0], rows[-1]
        many = last["case"]["clients"] / first["case"]["clients"]
        more = last["resident"] - first["resident"]
        share = more / (last["case"]["clients"] - first["case"]["clients"]) / (4 * last["case"]["parameters"])
        times = last["resident"] / first["resident"]
        flat = "flat" if times < FLAT else "**missed**: wanted is flat"
        verdicts.append(
            f"- {last['case']['parameters']:,} parameters, {last['case']['asked'] or 'all'} asked: {many:.0f} times "
            f"the devices take {times:.2g} times the resident memory: {flat}. A device more takes {100 * share:.2g} % "
            "of a model."
        )
    return [*lines, "", *verdicts]


def _flower(result: Mapping[str, Any]) -> list[str]:
    lines = [
        "| Flower's simulation: parameters | clients | s a round, processors | by the clock | of ours, same size and "
        "clock | all its processes, MB |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for row in result["flower"]:
        begins = f"| {row['parameters']:,} | {row['clients']:,} |"
        if "failed" in row:
            lines.append(f"{begins} failed: {row['failed']} | | | |")
            continue
        ours = [
            r for r in result["time"]
            if r["case"]["parameters"] == row["parameters"] and r["case"]["up"] == "float32"
        ]  # fmt: skip
        each = min(median(r["seconds"]) / r["case"]["clients"] for r in ours)
        clock = min(median(r["wall"]) / r["case"]["clients"] for r in ours)
        took, wall = min(row["seconds"]), min(row["wall"])
        lines.append(
            f"{begins} {took:.3g} | {wall:.3g} | {took / row['clients'] / each:.2g} times the processor's, "
            f"{wall / row['clients'] / clock:.2g} times the clock's | {row['most'] / 1e6:,.0f} |"
        )
    return lines


def _about(result: Mapping[str, Any]) -> list[str]:
    about = result["about"]
    return [
        f"{about['date']}, {about['cores']} cores of {about['cpu']}, load {about['load_before']} before it began, "
        f"{about['load_after']} when it was done."
    ]


def picture(result: Mapping[str, Any]) -> str:
    """Peak memory over devices, of the smallest model."""
    rows, every = list(_sizes(result).values())[:2]
    parameters = rows[0]["case"]["parameters"]

    def line(label: str, colour: str, of: Sequence[tuple[int, float]], dashed: bool = False) -> Line:
        return Line(label, colour, [(float(n), size / 1e6) for n, size in of], dashed)

    clients = [row["case"]["clients"] for row in rows]
    few = [n for n in clients if n <= 3000]

    def resident(of: Sequence[Any]) -> list[tuple[int, float]]:
        return [(r["case"]["clients"], r["resident"]) for r in of]

    lines = [
        line(f"resident, {rows[0]['case']['asked']} asked a round", "a", resident(rows)),
        line("resident, all asked", "b", resident(every)),
        line("what a model a device would take", "c", [(n, 4.0 * parameters * n) for n in few], True),
    ]
    return curves(f"Server, {parameters:,} parameters: peak memory over devices", "devices", "MB", lines, svg=True)


def _sizes(result: Mapping[str, Any]) -> dict[tuple[int, int], list[Any]]:
    """Rows by parameters and how many are asked."""
    found: dict[tuple[int, int], list[Any]] = {}
    for row in result["memory"]:
        found.setdefault((row["case"]["parameters"], row["case"]["asked"]), []).append(row)
    return found
