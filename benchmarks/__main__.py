"""``python -m benchmarks``: measure, print the tables, write them into the README and the figures as JSON.

A part of it - some models, or --quick - is printed and not written. Exit codes: 1 if a promise is broken or something
is missing that belongs here, 2 for a wrong option.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from selvedge.artifact import files
from selvedge.errors import SelvedgeError

from .cells import missing
from .environment import environment
from .peers import Failed
from .readme import TABLES, rendered, replaced
from .work import Work

ROOT = Path(__file__).parents[1]
QUICK = ("ds_cnn", "deep_autoencoder")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Every table of the README.")
    parser.add_argument("--only", choices=TABLES, help="one of the tables")
    parser.add_argument("--models", help="of the zoo, with commas between; printed, not written")
    parser.add_argument("--quick", action="store_true", help=f"{', '.join(QUICK)}, few rounds; printed, not written")
    parser.add_argument("--json", action="store_true", help="the figures instead of the tables")
    given = parser.parse_args(arguments)
    models = tuple(given.models.split(",")) if given.models else QUICK if given.quick else None
    for spec in models or ():
        Work(spec)  # an unknown model is refused before anything is measured
    wrong: list[str] = []
    results: dict[str, Any] = {}
    for name in [given.only] if given.only else TABLES:
        result = measure(name, {} if models is None else {"models": models}, given.quick)
        results[name] = result
        wrong += TABLES[name].slower(result["rows"]) + missing(result["rows"])
        if not given.json:
            print(f"\n## {name}\n\n{rendered(name, result)}", flush=True)
        if models is None:
            write(name, result)
    if given.json:
        print(json.dumps(results, indent=1))
    for line in dict.fromkeys(wrong):
        print(f"benchmarks: {line}", file=sys.stderr)
    return 1 if wrong else 0


def measure(name: str, chosen: dict[str, Any], quick: bool) -> dict[str, Any]:
    """{"about", "rows"} of a table; a line on standard error for each row as it is made."""
    benchmark, about, rows = TABLES[name], environment(), []
    start = last = time.perf_counter()
    for row in benchmark.run(quick=quick, **chosen):
        now = time.perf_counter()
        print(f"{name}: {benchmark.line(row)} [{now - last:.0f} s]", file=sys.stderr, flush=True)
        rows.append(row)
        last = now
    return {"about": {**about, "seconds": round(time.perf_counter() - start, 1)}, "rows": rows}


def write(name: str, result: dict[str, Any]) -> None:
    """The figures into ``benchmarks/results``, the table into the README."""
    files.write(ROOT / "benchmarks" / "results" / f"{name}.json", (json.dumps(result, indent=1) + "\n").encode())
    readme = ROOT / "README.md"
    files.write(readme, replaced(readme.read_text(), name, rendered(name, result)).encode())


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        sys.exit(main())
    except (SelvedgeError, Failed) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, SelvedgeError) else 1)
