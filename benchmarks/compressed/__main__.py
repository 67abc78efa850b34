"""``python -m benchmarks.compressed [--tasks a,b] [--seeds N] [--folds N] [--write]``: what each way costs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..cases import run
from ..command import command
from .experiment import case
from .page import TABLES, table, write
from .tasks import TASKS, absent
from .ways import PARTS

KEPT = Path(__file__).parents[1] / "results" / "compressed"
NAMES = {name + ("" if part == "cut" else f"-{part}"): (name, part) for part in PARTS for name in TASKS}


def main(arguments: list[str] | None = None) -> int:
    def made(name: str, seed: int, fold: int, given: argparse.Namespace) -> dict[str, Any]:
        if given.epochs and given.out == KEPT:
            print("benchmarks.compressed: --epochs makes other cases than those kept: give --out", file=sys.stderr)
            raise SystemExit(2)
        task, part = NAMES[name]
        return case(task, part, seed, fold, given.epochs)

    return run(
        "compressed",
        "What pruning, a teacher, int8 and all together cost or bring, as tables.",
        {name: TASKS[task].folds for name, (task, _) in NAMES.items()},
        lambda name: absent(NAMES[name][0]),
        made,
        table,
        arguments,
        kept=KEPT,
        write=(write, " and ".join(dict.fromkeys(page for page, _ in TABLES.values()))),
    )


if __name__ == "__main__":
    command("benchmarks.compressed", main)
