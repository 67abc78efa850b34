"""The table of all cases: printed, and into ``docs/targets.md``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.written import ROOT, tables
from selvedge.artifact.targets import TARGETS

from .experiment import TASKS

DOCS, MARK = "docs/targets.md", "targets_real"
AGREE, POINTS = 99.0, 0.3  # per cent of the top answers; points of accuracy
Case = Mapping[str, Any]


def table(cases: Sequence[Case]) -> str:
    """A row a network and target; what the bar is missed by is said."""
    if not cases:
        return "nothing was measured"
    found, notes = {(c["task"], c["target"]): c for c in cases}, dict[str, int]()
    lines = [
        "| network | target | samples | same top answer | lead of ours where not | accuracy | beside ours | beside "
        "PyTorch's simulation | a layer alone | values off |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for task in TASKS:
        for target in TARGETS:
            if (task, target) in found:
                lines.append(_row(found[task, target], notes))
    ends = [f"{number}. {_short(note)}" for note, number in notes.items()]
    labelled = [c for c in cases if "right" in c or "failed" in c]
    others = [c for c in cases if c not in labelled]
    top = f"the same top answer for {AGREE:g} % and more"
    kept = f"{_kept(labelled)} keep both: {top}, and accuracy within {POINTS} points of ours."
    if others:
        kept += f" Of what has no labels {_kept(others)} have {top}."
    return "\n".join([*lines, "", *ends, *([""] if ends else []), kept])


def _kept(cases: Sequence[Case]) -> str:
    return f"{sum('failed' not in c and _agrees(c) and _near(c) for c in cases)} of {len(cases)}"


def _row(case: Case, notes: dict[str, int]) -> str:
    begin = f"| {case['task']} | {case['target']} |"
    if "failed" in case:
        return f"{begin} failed [{_noted(case['failed'], notes)}] | | | | | | | |"
    count, layers = case["samples"], case["layers"]
    share = 100 * case["same"] / count
    cells = [f"{count:,}", f"{share:.2f} %" + ("" if _agrees(case) else " **missed**")]
    cells.append(f"{case['margin']} step{'' if case['margin'] == 1 else 's'}" if case["same"] < count else "")
    if "right" in case:
        right = case["right"]
        cells.append(f"{100 * right['theirs'] / count:.2f} %")
        cells.append(f"{_points(case, 'ours'):+.2f}" + ("" if _near(case) else " **missed**"))
        cells.append(f"{_points(case, 'simulated'):+.2f}" if "simulated" in right else "")
    else:
        cells += ["no labels", "", ""]
    worst = f"{layers['worst']} step{'' if layers['worst'] == 1 else 's'}"
    for row, error in layers["refused"].items():
        worst += f", {row} refused [{_noted(error, notes)}]"
    return f"{begin} {' | '.join(cells)} | {worst} | {100 * layers['off'] / layers['values']:.2g} % |"


def _points(case: Case, beside: str) -> float:
    """Of accuracy more than another's."""
    return 100 * (case["right"]["theirs"] - case["right"][beside]) / int(case["samples"])


def _agrees(case: Case) -> bool:
    return 100 * int(case["same"]) >= AGREE * int(case["samples"])


def _near(case: Case) -> bool:
    return "right" not in case or abs(_points(case, "ours")) <= POINTS


def _noted(error: str, notes: dict[str, int]) -> int:
    return notes.setdefault(error, len(notes) + 1)


def _short(note: str) -> str:
    return re.sub(r"(?:/[\w.+-]+)+/", "", note).replace("|", "\\|")  # of a path, its file


def read(folder: Path) -> list[dict[str, Any]]:
    """Every case that is kept."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def write(folder: Path) -> None:
    """All that lies in ``folder``, into the page."""
    tables(ROOT / DOCS, {MARK: table(read(folder))})
