"""``python -m benchmarks.masked [--tasks a,b] [--seeds N] [--show] [--write]``: masked sums, ours and Flower's SecAgg+
in turn; a seed is a turn, a fold whose protocol it is. Flower: $SELVEDGE_FLOWER names a Python with flwr==1.41.0."""

from __future__ import annotations

from pathlib import Path

from ..cases import run
from ..command import command
from .experiment import COHORTS, case, folds
from .page import DOCS, table, write

KEPT = Path(__file__).parents[1] / "results" / "masked"
TELLS = "What a masked sum costs a client, the server and the link, ours and Flower's SecAgg+ in turn."


def main(arguments: list[str] | None = None) -> int:
    return run(
        "masked",
        TELLS,
        {name: folds(cohort) for name, cohort in COHORTS.items()},
        lambda task: None,
        lambda task, seed, fold, options: case(task, seed, fold),
        table,
        arguments,
        kept=KEPT,
        write=(write, DOCS),
    )


if __name__ == "__main__":
    command("benchmarks.masked", main)
