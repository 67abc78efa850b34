"""``python -m benchmarks.vibration [DIRECTORY] [--window N] [--write] [--json]``: bearing faults, told from health.

Without a directory: the physical model over measured noise, five seeds. With one: every .mat (as Case Western Reserve's
bearing data) and .csv in it; what has "normal", "healthy" or "baseline" in its name is learnt. --write: the model's
figures into ``benchmarks/results/vibration.json``, its table into ``docs/anomaly.md``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selvedge.face.progress import working
from selvedge.learn.anomaly.recordings import directory

from ..command import command
from ..environment import environment
from ..written import ROOT, figures, results, tables
from .bearing import archive
from .study import DETECTORS, SIZES, WINDOW, recordings, study


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vibration", description=__doc__)
    parser.add_argument("directory", type=Path, nargs="?", help="recordings of your own")
    parser.add_argument("--window", type=int, default=WINDOW, help="samples a window, of your own recordings")
    parser.add_argument("--write", action="store_true", help="figures and table of the model into the project")
    parser.add_argument("--json", action="store_true", help="the figures instead of the table")
    given = parser.parse_args(arguments)
    if given.directory is not None:
        if given.window < 64:
            print(f"benchmarks.vibration: --window is {given.window}: give 64 samples or more", file=sys.stderr)
            return 2
        if given.write:
            print("benchmarks.vibration: --write is of the model: leave it out, or the directory", file=sys.stderr)
            return 2
        rows = recordings(directory(given.directory), given.window)
        print(json.dumps(rows, indent=1) if given.json else own(rows))
        return 0
    if not archive().is_file():
        print(f"benchmarks.vibration: {archive()} is absent: set SELVEDGE_DATA", file=sys.stderr)
        return 2
    with working("vibration") as work:
        result = {"about": environment(), **study(work.part)}
    print(json.dumps(result, indent=1) if given.json else table(result))
    if given.write:
        figures(result, results("vibration"))
        tables(ROOT / "docs" / "anomaly.md", {"vibration": table(result)})
    return 0


def table(result: Mapping[str, Any]) -> str:
    head = " | ".join(f"{size:g} m/s²" for size in SIZES)
    lines = [f"| fault | detector | {head} | false alarms |", f"|---|---|{'---:|' * len(SIZES)}---:|"]
    for fault in dict.fromkeys(row["fault"] for row in result["rows"]):
        for detector in DETECTORS:
            rows = [r for r in result["rows"] if (r["fault"], r["detector"]) == (fault, detector)]
            cells = [
                f"{r['auc']['mean']:.2f} ({r['auc']['low']:.2f}-{r['auc']['high']:.2f}), {r['delay']['mean']:.0f}"
                + ("" if r["found"] == result["seeds"] else f" [{r['found']}/{result['seeds']}]")
                for r in rows
            ]
            lines.append(f"| {fault} | {detector} | {' | '.join(cells)} | {rows[0]['false alarms']:.1f} % |")
    return "\n".join(lines)


def own(rows: list[dict[str, Any]]) -> str:
    lines = ["| recording | detector | AUC | windows to the first alarm | false alarms |", "|---|---|---:|---:|---:|"]
    for r in rows:
        delay = str(r["delay"]) if r["found"] else f"none in {r['delay']}"
        lines.append(f"| {r['recording']} | {r['detector']} | {r['auc']:.3f} | {delay} | {r['false alarms']:.1f} % |")
    return "\n".join(lines)


if __name__ == "__main__":
    command("benchmarks.vibration", main)
