"""The table, what it comes to, and a picture: printed, and into ``docs/federated-figures.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from selvedge.artifact import files
from selvedge.draw.chart import Line
from selvedge.draw.curves import curves

from ..written import ROOT, tables
from .experiment import PLAIN, SPREADS, WAYS, Case, summary

DOCS, PICTURE = "docs/federated-figures.md", ROOT / "docs" / "pictures" / "federated-speeds.svg"
DRAWN = "1"  # the spread whose seed 0 is drawn
BUSY = (13, 30)


def table(cases: Sequence[Case]) -> str:
    lines = [
        "| sigma | way | right at the end | hours | least-most | FedAvg's time over it | moves | MB up | never heard |",
        "|---:|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    found = summary(cases)
    for spread, ways in found.items():
        for way, row in ways.items():
            there = [h for h in row["hours"] if h is not None]
            never = len(row["hours"]) - len(there)
            named = spread if way == PLAIN else ""
            seeds = f"{way} ({len(row['seeds'])} seed{'' if len(row['seeds']) == 1 else 's'})"
            begins = f"| {named} | {seeds} | {100 * np.mean(row['last']):.1f}"
            if not there:
                lines.append(f"{begins} | never | | | | | {np.mean(row['silent']):.0f} |")
                continue
            lines.append(
                f"{begins} | {np.mean(there):.2f}{f' ({never} never)' if never else ''} | {min(there):.2f}-"
                f"{max(there):.2f} | {middle(row['faster']):.1f} | {_mean(row['moves']):.0f} | "
                f"{_mean(row['up']) / 1e6:.1f} | {np.mean(row['silent']):.0f} |"
            )
    return "\n".join(lines) + "\n\n" + "\n".join(f"- {line}" for line in gains(found))


def gains(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """FedBuff beside over-selection with as many busy, of pairs of a seed."""
    lines = []
    for spread, ways in found.items():
        for busy in BUSY:
            over, buffered = ways.get(f"over-selection, {busy} busy"), ways.get(f"FedBuff, {busy} busy")
            if over is None or buffered is None:
                continue
            seeds = [s for s in over["seeds"] if s in buffered["seeds"]]
            hours, up = (
                [(a, b) for a, b in ((_of(over, n, s), _of(buffered, n, s)) for s in seeds) if a and b]
                for n in ("hours", "up")
            )
            if not hours:
                lines.append(f"sigma {spread}, {busy} busy: no seed in which both came there")
                continue
            times, bytes_ = [a / b for a, b in hours], [a / b for a, b in up]
            lines.append(
                f"sigma {spread}, {busy} busy: FedBuff is there {middle(times):.2f} times as fast as over-selection "
                f"({min(times):.2f}-{max(times):.2f}, {len(times)} of {len(seeds)} seeds), which sends "
                f"{middle(bytes_):.2f} times its bytes ({min(bytes_):.2f}-{max(bytes_):.2f})"
            )
    return lines


def middle(ratios: Sequence[float]) -> float:
    """The geometric mean."""
    return float(np.exp(np.mean(np.log(ratios))))


def picture(cases: Sequence[Case]) -> str:
    """Right of the test samples over the run's clock, of seed 0."""
    own = {c["way"]: c["course"] for c in cases if c["task"] == DRAWN and c["seed"] == 0}
    latest = min(max(course["seconds"]) for course in own.values()) * 4  # else the slowest has all of the picture
    lines = [
        Line(way, colour, [(s / 3600, t) for s, t in zip(c["seconds"], c["test"], strict=True) if s <= latest])
        for way, colour in zip(WAYS, "abcde", strict=True)
        if (c := own.get(way)) is not None
    ]
    title = f"digits of 100 devices, sigma {DRAWN}: right, over the run's clock"
    return curves(title, "hours", "right", lines, percent=True, svg=True)


def read(folder: Path) -> list[dict[str, Any]]:
    """Every case that is kept, in order."""
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return sorted(found, key=lambda c: (SPREADS.index(c["task"]), list(WAYS).index(c["way"]), c["seed"]))


def write(folder: Path) -> None:
    cases = read(folder)
    files.write(PICTURE, picture(cases).encode())
    tables(ROOT / DOCS, {"federated-speeds": table(cases)})


def _of(row: Mapping[str, Any], name: str, seed: int) -> float | None:
    found: float | None = row[name][row["seeds"].index(seed)]
    return found


def _mean(values: Sequence[float | None]) -> float:
    return float(np.mean([v for v in values if v is not None]))
