"""``python -m benchmarks.live_cost [--tasks MLP,...] [--turns N] [--write] [--json]``: what holding a learner costs.

Per model and turn, one after the other in one process: the step alone, the learner in C, and the learner in Python
without a journal, with one, and with one that brings each record to the disk. --write: the figures into
``benchmarks/results/live_cost.json``, the tables into ``docs/live-c.md``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Mapping
from typing import Any

from selvedge.face.progress import working

from ..command import command
from ..environment import caption, environment
from ..written import ROOT, figures, results, tables
from .models import MODELS
from .study import JOURNALS, study

EPOCHS = 5
WIDE = 1000  # characters of a line of the figures: a turn is one
PAGE = ROOT / "docs" / "live-c.md"
Case = Mapping[str, Any]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live_cost", description=__doc__)
    parser.add_argument("--tasks", default=",".join(MODELS), help="models, with commas between")
    parser.add_argument("--turns", type=int, default=60, help="of 16 samples each")
    parser.add_argument("--write", action="store_true", help="figures and tables into the project")
    parser.add_argument("--json", action="store_true", help="the figures instead of the tables")
    given = parser.parse_args(arguments)
    names = given.tasks.split(",")
    odd = [name for name in names if name not in MODELS]
    if odd or given.turns < 3:
        fault = f"--tasks is {odd[0]}: give some of {', '.join(MODELS)}" if odd else f"--turns is {given.turns}: give 3"
        print(f"benchmarks.live_cost: {fault}", file=sys.stderr)
        return 2
    about = environment()
    with working("live_cost") as work:
        cases = []
        for i, name in enumerate(names):
            work.part(f"{name}, {i + 1} of {len(names)}")
            cases.append(study(name, given.turns, EPOCHS))
    about["seconds"] = sum(case["seconds"] for case in cases)
    result = {"about": about, "cases": cases}
    print(json.dumps(result, indent=1) if given.json else "\n".join(table(result)))
    if given.write:
        figures(result, results("live_cost"), wide=WIDE)
        tables(PAGE, dict(zip(("live_cost_c", "live_cost_python"), table(result), strict=True)))
    return 0


def table(result: Case) -> tuple[str, str]:
    """The table of C and that of Python: medians over the turns, and quartiles."""
    c = [
        "| model | step alone | a step in the learner | its own | replay | predictions |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    python = [
        "| model | step | replay | its own | with a journal | each on the disk |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for case in result["cases"]:
        turns = case["turns"]
        shares = [
            _cell(turns, lambda t, part=part: 100 * t["c"][part] / (t["bare"] * t["c"]["steps"]), "%", 1)
            for part in ("step", "own", "replay", "predict")
        ]
        alone = _cell(turns, lambda t: t["bare"] / 1000, "µs", 2)
        c.append(f"| {case['model']} | {alone} | {' | '.join(shares)} |")
        cells = [_cell(turns, lambda t, part=part: t["alone"][part], "µs", 0) for part in ("step", "replay", "own")]
        cells += [_cell(turns, lambda t, title=title: t[title]["own"], "µs", 0) for title in JOURNALS]
        python.append(f"| {case['model']} | {' | '.join(cells)} |")
    return "\n".join(c), "\n".join([*python, "", caption(result["about"], ("numpy",))])


def _cell(turns: list[Case], of: Callable[[Case], float], unit: str, digits: int) -> str:
    low, middle, high = statistics.quantiles([of(turn) for turn in turns], n=4, method="inclusive")
    return f"{middle:.{digits}f} {unit} ({low:.{digits}f}-{high:.{digits}f})"


if __name__ == "__main__":
    command("benchmarks.live_cost", main)
