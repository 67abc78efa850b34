"""``python -m benchmarks.quantise [--tasks a,b] [--seeds N] [--folds N] [--out FOLDER]``: accuracy lost, as a table."""

from __future__ import annotations

import sys

from ..cases import run
from .experiment import case, summary, table
from .tasks import TASKS, absent


def main(arguments: list[str] | None = None) -> int:
    return run(
        "quantise",
        "Accuracy lost by quantising, as a table.",
        {task: folds for task, (_, folds) in TASKS.items()},
        absent,
        lambda task, seed, fold, given: case(task, seed, fold, given.epochs),
        lambda cases: table(summary(cases)),
        arguments,
    )


if __name__ == "__main__":
    sys.exit(main())
