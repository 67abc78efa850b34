"""``python -m benchmarks.federated_speeds [--tasks 0.5,1] [--seeds N] [--write]``: a task is a spread, a fold a way."""

from __future__ import annotations

from pathlib import Path

from ..cases import run
from ..command import command
from .experiment import SPREADS, WAYS, case
from .page import DOCS, table, write

KEPT = Path(__file__).parents[1] / "results" / "federated_speeds"
TELLS = "How long buffered rounds and over-selection take on devices of unequal speed to be as good as FedAvg."


def main(arguments: list[str] | None = None) -> int:
    return run(
        "federated_speeds",
        TELLS,
        dict.fromkeys(SPREADS, len(WAYS)),
        lambda spread: "",
        lambda spread, seed, fold, options: case(spread, seed, list(WAYS)[fold]),
        table,
        arguments,
        kept=KEPT,
        write=(write, f"{DOCS} and its picture"),
    )


if __name__ == "__main__":
    command("benchmarks.federated_speeds", main)
