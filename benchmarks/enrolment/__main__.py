"""``python -m benchmarks.enrolment [--tasks a,b] [--seeds N] [--folds N] [--write]``: a class from five examples."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..cases import run
from ..command import command
from .experiment import case
from .newcomers import KINDS, absent
from .page import DOCS, table, write

KEPT = Path(__file__).parents[1] / "results" / "enrolment"


def main(arguments: list[str] | None = None) -> int:
    def made(name: str, seed: int, fold: int, given: argparse.Namespace) -> dict[str, Any]:
        if given.epochs:
            print("benchmarks.enrolment: --epochs has no meaning here: leave it out", file=sys.stderr)
            raise SystemExit(2)
        return case(name, seed, fold)

    return run(
        "enrolment",
        "A keyword, speaker, character or activity from five examples, beside other ways. A fold is one.",
        {name: kind.folds for name, kind in KINDS.items()},
        absent,
        made,
        table,
        arguments,
        kept=KEPT,
        write=(write, DOCS),
    )


if __name__ == "__main__":
    command("benchmarks.enrolment", main)
