"""The table and the picture of all cases: printed, and into ``docs/privacy.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.written import ROOT, tables
from selvedge.artifact import files
from selvedge.draw.chart import Line
from selvedge.draw.curves import curves

from .experiment import EPSILONS, OF_EXAMPLES, TASKS, WAYS, summary

DOCS = "docs/privacy.md"
PICTURES = ROOT / "docs" / "pictures"
Cases = Sequence[Mapping[str, Any]]


def table(cases: Cases) -> str:
    lines = [
        "| task | way | right, % | ± | epsilon told | where cohorts are seen | noise |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for task, ways in summary(cases).items():
        named = task
        for way, row in ways.items():
            spread = "" if row["spread"] is None else f"{100 * row['spread']:.1f}"
            private = row["told"] is not None and row["told"] < 1e6
            told, seen = (f"{row[n]:.2f}" if private else "" for n in ("told", "seen"))
            noise = f"{row['noise']:.2f}" if private else ""
            seeds = f"{row['seeds']} seed{'' if row['seeds'] == 1 else 's'}"
            lines.append(
                f"| {named} | {way} ({seeds}) | {100 * row['last']:.1f} | {spread} | {told} | {seen} | {noise} |"
            )
            named = ""
    return "\n".join(lines)


def picture(cases: Cases, task: str) -> str:
    """Right of the test samples over epsilon; what is not private, and what says the commonest class, beside it."""
    ways = summary(cases)[task]
    ends = (min(EPSILONS), max(EPSILONS))

    def level(way: str, label: str, colour: str) -> list[Line]:
        return [Line(label, colour, [(e, ways[way]["last"]) for e in ends], dashed=True)] if way in ways else []

    def over(kind: str, label: str, colour: str) -> list[Line]:
        points = [(e, ways[f"{kind} {e:g}"]["last"]) for e in sorted(EPSILONS) if f"{kind} {e:g}" in ways]
        return [Line(label, colour, points)] if points else []

    series = [
        *level("not private", "not private", "a"),
        *over("epsilon", "a device is hidden, by the server's noise", "b"),
        *over(OF_EXAMPLES, "an example is hidden, by its device's noise", "c"),
        *level("dummy", "the commonest class", "d"),
    ]
    return curves(f"{task}: right, over epsilon", "epsilon", "right", series, percent=True, svg=True)


def read(folder: Path) -> list[dict[str, Any]]:
    """Every case that is kept, in order."""
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return sorted(found, key=lambda c: (list(TASKS).index(c["task"]), WAYS.index(c["way"]), c["seed"]))


def write(folder: Path) -> None:
    """All that lies in ``folder``, into the page and its pictures."""
    cases = read(folder)
    for task in dict.fromkeys(c["task"] for c in cases):
        files.write(PICTURES / f"private-{task}.svg", picture(cases, task).encode())
    tables(ROOT / DOCS, {"private": table(cases)})
