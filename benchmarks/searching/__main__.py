"""``python -m benchmarks.searching [--tasks a,b] [--seeds N] [--out FOLDER]``: accuracy behind learning, as a table."""

from __future__ import annotations

import sys

from ..cases import run
from .experiment import TASKS, absent, case, summary, table


def main(arguments: list[str] | None = None) -> int:
    return run(
        "searching",
        "Accuracy behind learning of what was chosen for it, and of what was chosen to predict, as a table.",
        dict.fromkeys(TASKS, 1),
        absent,
        lambda task, seed, fold, given: case(task, seed, given.epochs, given.out / f"{task}-{seed}"),
        lambda cases: table(summary(cases)),
        arguments,
    )


if __name__ == "__main__":
    sys.exit(main())
