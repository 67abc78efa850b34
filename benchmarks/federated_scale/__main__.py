"""``python -m benchmarks.federated_scale [--rounds N] [--most N] [--write]``."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from ..command import command
from ..environment import environment
from ..written import ROOT, figures, results, tables
from .page import table
from .study import measured

DOCS = "docs/federated-figures.md"
TIMES = (
    (1000, 10_000, "float32"), (1000, 10_000, "top:0.03+int4"), (100, 1_000_000, "float32"),
    (100, 1_000_000, "top:0.03+int4"),
)  # fmt: skip
CLIENTS = (100, 1000, 10_000)  # whose memory is measured, at 10,000 parameters


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.federated_scale", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=int, default=max(CLIENTS), help="devices whose memory is measured")
    parser.add_argument("--write", action="store_true", help=f"the figures, and the tables into {DOCS}")
    given = parser.parse_args(arguments)
    about = environment()
    times = []
    for clients, parameters, up in TIMES:
        times.append(asdict(measured(clients, parameters, up, given.rounds, False)))
        print(f"{parameters:,} {up}: {times[-1]['seconds']} s", file=sys.stderr, flush=True)
    memory = [
        asdict(measured(clients, 10_000, "top:0.03+int4", 1, True)) for clients in CLIENTS if clients <= given.most
    ]
    result = json.loads(json.dumps({"about": about, "time": times, "memory": memory}))
    print(table(result))
    if given.write:
        figures(result, results("federated_scale"))
        tables(ROOT / DOCS, {"federated-scale": table(result)})
    return 0


if __name__ == "__main__":
    command("benchmarks.federated_scale", main)
