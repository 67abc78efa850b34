"""``python -m benchmarks.never_worse [--tasks a,b] [--seeds N] [--write]``: who is worse behind a stream."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.auto.sources import FOLDER

from ..cases import Case, run
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

    code = run(
        NAME,
        "What streams that would do harm take from a model, way by way, and what others bring it.",
        dict.fromkeys(FAMILIES, 1),
        absent,
        made,
        table,
        given,
        _more,
        KEPT,
    )
    if code == 0 and "--write" in given:
        write(KEPT)
    return code


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--write", action="store_true", help=f"all that is kept, into {DOCS}")


if __name__ == "__main__":
    sys.exit(main())
