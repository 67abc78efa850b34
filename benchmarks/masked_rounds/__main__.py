"""``python -m benchmarks.masked_rounds [--tasks a,b] [--seeds N] [--folds N] [--show] [--write]``: a fold is a way."""

from __future__ import annotations

from pathlib import Path

from ..cases import run
from ..command import command
from .experiment import TASKS, WAYS, absent, case
from .page import DOCS, table, write

KEPT = Path(__file__).parents[1] / "results" / "masked_rounds"
TELLS = "What masked values of few bits cost beside floats: right at the end, and every byte that leaves a device."


def main(arguments: list[str] | None = None) -> int:
    return run(
        "masked_rounds",
        TELLS,
        dict.fromkeys(TASKS, len(WAYS)),
        absent,
        lambda task, seed, fold, options: case(task, seed, list(WAYS)[fold]),
        table,
        arguments,
        kept=KEPT,
        write=(write, DOCS),
    )


if __name__ == "__main__":
    command("benchmarks.masked_rounds", main)
