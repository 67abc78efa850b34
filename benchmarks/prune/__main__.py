"""``python -m benchmarks.prune [--tasks a,b] [--seeds N] [--folds N] [--out FOLDER]``: accuracy lost, as a table."""

from __future__ import annotations

import argparse
import sys

from benchmarks.quantise.tasks import TASKS, absent

from ..cases import run
from .experiment import case, summary, table
from .ways import CRITERIA


def main(arguments: list[str] | None = None) -> int:
    return run(
        "prune",
        "Accuracy lost by pruning, as a table.",
        {task: folds for task, (_, folds) in TASKS.items()},
        absent,
        lambda task, seed, fold, given: case(task, seed, fold, given.epochs, tuple(given.criteria.split(","))),
        lambda cases: table(summary(cases)),
        arguments,
        _more,
    )


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--criteria", default=",".join(CRITERIA), help="with commas between")


if __name__ == "__main__":
    sys.exit(main())
