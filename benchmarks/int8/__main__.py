"""``python -m benchmarks.int8 [--json FILE] [--models a,b] [--rounds N]``: the table alone, printed.

Exit codes: 1 if a promise is broken or something is missing that belongs here, 2 for a wrong option. ``python -m
benchmarks --only int8`` writes it into the README.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..cells import missing
from ..command import command
from ..environment import environment
from ..written import figures
from .models import MODELS, path
from .table import ROUNDS, line, run, slower, table


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.int8", description=__doc__)
    parser.add_argument("--models", default=",".join(MODELS), help="with commas between")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="at least 2")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    given = parser.parse_args(arguments)
    if given.rounds < 2:
        parser.error("--rounds: at least 2 have a spread")
    models = tuple(given.models.split(","))
    for name in models:
        path(name)  # an unknown model is refused before anything is measured
    rows, about = [], environment()
    for row in run(models, rounds=given.rounds):
        print(line(row), file=sys.stderr, flush=True)
        rows.append(row)
    if given.json:
        figures({"about": about, "rows": rows}, given.json)
    print(table(rows))
    wrong = slower(rows) + missing(rows)
    for text in wrong:
        print(f"benchmarks.int8: {text}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    command("benchmarks.int8", main)
