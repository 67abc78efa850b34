"""``python -m benchmarks.live [--tasks a,b] [--seeds N] [--folds N] [--write]``: people whose device learns."""

from __future__ import annotations

from pathlib import Path

from ..cases import run
from ..command import command
from .experiment import case
from .page import DOCS, table, write
from .people import RECIPES, absent

KEPT = Path(__file__).parents[1] / "results" / "live"


def main(arguments: list[str] | None = None) -> int:
    return run(
        "live",
        "What a device gains that learns its owner, beside what one could do instead. A fold is a person.",
        {name: recipe.people for name, recipe in RECIPES.items()},
        absent,
        lambda name, seed, fold, given: case(name, seed, fold),
        table,
        arguments,
        kept=KEPT,
        write=(write, DOCS),
    )


if __name__ == "__main__":
    command("benchmarks.live", main)
