"""``python -m benchmarks.tailored [--tasks a,b] [--seeds N] [--folds N] [--show] [--write]``: accuracy behind learning,
of what was chosen for it and of what was chosen to predict."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..cases import run
from ..command import command
from .experiment import case
from .page import DOCS, table, write
from .settings import settings
from .tasks import TASKS, absent

KEPT = Path(__file__).parents[1] / "results" / "tailored"


def main(arguments: list[str] | None = None) -> int:
    def made(name: str, seed: int, fold: int, given: argparse.Namespace) -> dict[str, Any]:
        if given.epochs and given.out == KEPT:
            print("benchmarks.tailored: --epochs makes other cases than those kept: give --out", file=sys.stderr)
            raise SystemExit(2)
        return case(name, seed, fold, {**settings(name), **({"epochs": given.epochs} if given.epochs else {})})

    return run(
        "tailored",
        "Accuracy behind learning, of what was chosen for it and of what was chosen to predict, as tables.",
        {name: settings(name)["folds"] for name in TASKS},
        absent,
        made,
        table,
        arguments,
        kept=KEPT,
        write=(write, f"{DOCS} and its pictures"),
    )


if __name__ == "__main__":
    command("benchmarks.tailored", main)
