"""``python -m benchmarks.live [--tasks a,b] [--seeds N] [--folds N] [--write]``: people whose device learns."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..cases import run
from .experiment import case
from .page import DOCS, table, write
from .people import RECIPES, absent

KEPT = Path(__file__).parents[1] / "results" / "live"


def main(arguments: list[str] | None = None) -> int:
    code = run(
        "live",
        "What a device gains that learns its owner, beside what one could do instead. A fold is a person.",
        {name: recipe.people for name, recipe in RECIPES.items()},
        absent,
        lambda name, seed, fold, given: case(name, seed, fold),
        table,
        arguments,
        _more,
        KEPT,
    )
    if code == 0 and "--write" in (sys.argv[1:] if arguments is None else arguments):
        write(KEPT)
    return code


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--write", action="store_true", help=f"all that is kept, into {DOCS}")


if __name__ == "__main__":
    sys.exit(main())
