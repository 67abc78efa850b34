"""``python -m benchmarks.never_worse [--tasks a,b] [--seeds N] [--write]``: who is worse behind a stream."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.auto.sources import FOLDER

from ..cases import Case, run
from ..command import command
from .experiment import case
from .page import DOCS, NAME, table, write
from .streams import FAMILIES

KEPT = Path(__file__).parents[1] / "results" / NAME
SEEDS = 7  # times 30 streams that would do harm: 210


def absent(family: str) -> str | None:
    folder = FOLDER / "mnist_png"
    return None if folder.is_dir() else str(folder)


def main(arguments: list[str] | None = None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    if not any(word.startswith("--seeds") for word in given):
        given = [*given, "--seeds", str(SEEDS)]

    def made(family: str, seed: int, fold: int, options: argparse.Namespace) -> Case:
        return case(family, seed)

    return run(
        NAME,
        "What streams that would do harm take from a model, way by way, and what others bring it.",
        dict.fromkeys(FAMILIES, 1),
        absent,
        made,
        table,
        given,
        kept=KEPT,
        write=(write, DOCS),
    )


if __name__ == "__main__":
    command("benchmarks.never_worse", main)
