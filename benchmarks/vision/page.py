"""The table and the pictures of all cases: printed, and into ``docs/vision.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.written import ROOT, tables
from selvedge.artifact import files
from selvedge.draw.chart import Line
from selvedge.draw.curves import curves

from .experiment import right, summary
from .pictures import SETS
from .weather import KINDS, TURNS

DOCS = "docs/vision.md"
PICTURES = ROOT / "docs" / "pictures"
DRAWN = {"frozen": "d", "naive": "b", "last layer": "c", "learner": "a"}
WINDOW = 50  # pictures of a point
Cases = Sequence[Mapping[str, Any]]


def table(cases: Cases) -> str:
    lines = [
        "| set, weather | way | stream, before | test pictures | ± | gap closed | ± | at the end | clean | RAM |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    found = summary(cases)
    for (name, kind), one in found.items():
        told = f"{name}, {kind}: {one['seeds']} seed{'' if one['seeds'] == 1 else 's'}"
        for way, row in one["ways"].items():
            before = "" if row["before"] is None else f"{100 * row['before'][0]:.1f}"
            gap = way not in ("dummy", "frozen", "retrained")
            shut = (
                f"{100 * row['closed'][0]:.0f} % | {_deviation(row['closed'], 0)} | {100 * row['closed last'][0]:.0f} %"
            )
            ram = "" if row["ram"] is None else f"{row['ram']:,} B"
            lines.append(
                f"| {told} | {way} | {before} | {100 * row['held'][0]:.1f} | {_deviation(row['held'], 1)} | "
                f"{shut if gap else ' | | '} | {100 * row['clean'][0]:.1f} | {ram} |"
            )
            told = ""
    return "\n".join(lines) + f"\n\n{_missed(found)}"


def _missed(found: Mapping[tuple[str, str], Mapping[str, Any]]) -> str:
    """Which of them the learner closes by half, and what it loses of clean pictures."""
    shut = {key: one["ways"]["learner"]["closed"][0] for key, one in found.items()}
    below = [f"{', '.join(key)} ({100 * share:.0f} %)" for key, share in shut.items() if share < 0.5]
    lost = {key: one["ways"]["frozen"]["clean"][0] - one["ways"]["learner"]["clean"][0] for key, one in found.items()}
    worst = max(lost, key=lambda key: lost[key])
    told = f"The learner closes half of the gap or more in {len(shut) - len(below)} of {len(shut)}"
    missed = f"; **missed**: {'; '.join(below)}" if below else ""
    mean = 100 * float(np.mean(list(lost.values())))
    most = f"at most {100 * lost[worst]:.1f} ({', '.join(worst)})"
    return f"{told}{missed}. Of clean pictures it loses {mean:.1f} points on the mean, {most}."


def picture(cases: Cases, kind: str) -> str:
    """Accuracy along the stream in one kind of weather, mean over sets and seeds: an SVG."""
    own = [case for case in cases if case["kind"] == kind]
    lines = []
    for way, colour in DRAWN.items():
        each = np.mean([right(case, way) for case in own], axis=0)
        ends = range(WINDOW, len(each) + 1, WINDOW // 2)
        lines.append(Line(way, colour, [(end - WINDOW / 2, float(each[end - WINDOW : end].mean())) for end in ends]))
    held = np.mean([next(r for r in case["rows"] if r["way"] == "retrained")["held"] for case in own], axis=0)
    turn = own[0]["length"] / TURNS
    lines.append(Line("retrained (test)", "f", [((i + 1) * turn, float(v)) for i, v in enumerate(held)], dashed=True))
    return curves(f"Right before learning: {kind} change", "pictures", "right", lines, percent=True, svg=True)


def read(folder: Path) -> list[dict[str, Any]]:
    """Every case that is kept, in order."""
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return sorted(found, key=lambda c: (list(SETS).index(c["set"]), list(KINDS).index(c["kind"]), c["seed"]))


def write(folder: Path) -> None:
    """All that lies in ``folder``, into the page and its pictures."""
    cases = read(folder)
    for kind in dict.fromkeys(case["kind"] for case in cases):
        files.write(PICTURES / f"vision-{kind}.svg", picture(cases, kind).encode())
    tables(ROOT / DOCS, {"vision": table(cases)})


def _deviation(value: tuple[float, float | None], digits: int) -> str:
    return "" if value[1] is None else f"{100 * value[1]:.{digits}f}"
