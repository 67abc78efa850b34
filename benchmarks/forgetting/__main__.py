"""``python -m benchmarks.forgetting [--tasks a,b] [--seeds N] [--show] [--write]``: what each way to remember keeps."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..cases import run
from ..command import command
from .digits import absent
from .experiment import WAYS, case
from .page import DOCS, table, write

KEPT = Path(__file__).parents[1] / "results" / "forgetting"


def main(arguments: list[str] | None = None) -> int:
    def made(way: str, seed: int, fold: int, given: argparse.Namespace) -> dict[str, Any]:
        if given.epochs:
            print("benchmarks.forgetting: --epochs has no meaning in one pass: leave it out", file=sys.stderr)
            raise SystemExit(2)
        return case(way, seed)

    return run(
        "forgetting",
        "Digits in five tasks of two, one pass, 32 KiB of replay: what is right in the end. A seed is a class order.",
        dict.fromkeys(WAYS, 1),
        lambda way: absent(),
        made,
        table,
        arguments,
        kept=KEPT,
        write=(write, DOCS),
    )


if __name__ == "__main__":
    command("benchmarks.forgetting", main)
