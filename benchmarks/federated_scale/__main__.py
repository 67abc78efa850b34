"""``python -m benchmarks.federated_scale [--rounds N] [--most N] [--only WHAT] [--show] [--write]``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from selvedge.artifact import files

from ..command import command
from ..environment import environment
from ..written import ROOT, figures, results, tables
from .flower import beside
from .page import picture, table
from .study import Case, alone, floor

DOCS, PICTURE = "docs/federated-figures.md", ROOT / "docs" / "pictures" / "federated-scale.svg"
SMALL, LARGE, FEW = 10_000, 1_000_000, "top:0.03+int4"
TIMES = (
    (1000, SMALL, "float32", 0, False), (1000, SMALL, "float32", 0, True), (1000, SMALL, FEW, 0, False),
    (1000, SMALL, FEW, 0, True), (1000, SMALL, FEW, 1, False), (1000, LARGE, "float32", 2, False),
    (200, LARGE, FEW, 2, False),
)  # fmt: skip
COHORT = 100  # devices that each round asks, of however many
MANY = (100, 300, 1000, 3000, 10_000)
MEMORY = (
    *((n, SMALL, FEW, COHORT) for n in MANY), *((n, SMALL, FEW, 0) for n in MANY),
    *((n, LARGE, "float32", 0) for n in (100, 1000)),
)  # fmt: skip
FLOWER = ((1000, SMALL, 3), (100, LARGE, 2))
PARTS = ("time", "memory", "flower")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.federated_scale", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--most", type=int, default=10_000, help="devices whose memory is measured")
    parser.add_argument("--only", choices=PARTS, help="with --write: the others stay as they were measured before")
    parser.add_argument("--show", action="store_true", help="only what was measured before")
    parser.add_argument("--write", action="store_true", help=f"the figures, and the tables into {DOCS}")
    given = parser.parse_args(arguments)
    about = environment()
    kept = results("federated_scale")
    earlier = given.only or given.show
    result: dict[str, Any] = json.loads(kept.read_text()) if earlier else {}
    wanted = () if given.show else (given.only,) if given.only else PARTS
    if "time" in wanted:
        result["time"] = []
        for clients, parameters, up, threads, records in TIMES:
            row = alone(Case(clients, parameters, up, given.rounds, threads, records))
            result["time"].append(row)
            _said(f"{clients:,} x {parameters:,} {up}: {row['seconds']} s of the processor, {row['wall']} by the clock")
        result["floor"] = floor(LARGE)
    if "flower" in wanted:
        result["flower"] = [beside(*one) for one in FLOWER]
        _said(json.dumps(result["flower"]))
    if "memory" in wanted:
        result["memory"] = []
        for clients, parameters, up, asked in MEMORY:
            if clients <= given.most:
                row = alone(Case(clients, parameters, up, 1, asked=asked))
                row["traced"] = alone(Case(clients, parameters, up, 1, trace=True, asked=asked))["traced"]
                result["memory"].append(row)
                _said(
                    f"{clients:,} x {parameters:,}, {asked or 'all'} asked: {row['resident']:,} B, "
                    f"{row['traced']:,} of Python's"
                )
    if not earlier:
        result["about"] = {**about, "load_after": round(os.getloadavg()[0], 2)}
    print(table(result))
    if given.write:
        figures(result, kept, 120)
        files.write(PICTURE, picture(result).encode())
        tables(ROOT / DOCS, {"federated-scale": table(result)})
    return 0


def _said(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    command("benchmarks.federated_scale", main)
