"""``python -m benchmarks.nab [--write] [--json]``: the published detectors, dummies and ours on NAB, as a table.

--write: also the figures into ``benchmarks/results/nab.json``, the table and two pictures into ``docs/``. It takes a
minute.
"""

from __future__ import annotations

import argparse
import json
import sys

from selvedge.artifact import files
from selvedge.face.progress import working

from ..command import command
from ..environment import environment
from ..written import ROOT, figures, results, tables
from .corpus import absent
from .page import pictures, table
from .study import study

DRAWN = (
    "realKnownCause/machine_temperature_system_failure.csv",
    "realKnownCause/ambient_temperature_system_failure.csv",
)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nab", description=__doc__)
    parser.add_argument("--write", action="store_true", help="the figures, the table and the pictures into the project")
    parser.add_argument("--json", action="store_true", help="the figures instead of the table")
    given = parser.parse_args(arguments)
    if missing := absent():
        print(f"benchmarks.nab: {missing} is absent: set SELVEDGE_DATA", file=sys.stderr)
        return 2
    with working("NAB") as work:
        result = {"about": environment(), **study(work.part)}
    print(json.dumps(result, indent=1) if given.json else table(result))
    if given.write:
        figures(result, results("nab"))
        tables(ROOT / "docs" / "anomaly.md", {"nab": table(result)})
        for name, content in pictures(result["rows"][-1]["threshold"], DRAWN).items():
            files.write(ROOT / "docs" / "pictures" / name, content)
    wrong = [row for row in result["rows"] if round(row["whole"], 2) != row.get("published", round(row["whole"], 2))]
    for row in wrong:
        text = f"{row['detector']} scores {row['whole']:.2f} here and {row['published']:.2f} as published"
        print(f"benchmarks.nab: {text}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    command("benchmarks.nab", main)
