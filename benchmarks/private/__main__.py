"""``python -m benchmarks.private [--tasks a,b] [--seeds N] [--folds N] [--show] [--write]``: a fold is a way."""

from __future__ import annotations

from pathlib import Path

from benchmarks.auto import sources

from ..cases import run
from ..command import command
from .experiment import COUNTS, WAYS, case
from .page import DOCS, table, write

KEPT = Path(__file__).parents[1] / "results" / "private"
TELLS = "How often a model is right that was learnt together, against what it tells of those it was learnt from."


def absent(task: str) -> str | None:
    folder = sources.FOLDER / "har_sp_sw_23subjects"
    return str(folder) if task == "har" and not folder.is_dir() else None


def main(arguments: list[str] | None = None) -> int:
    return run(
        "private",
        TELLS,
        COUNTS,
        absent,
        lambda task, seed, fold, options: case(task, seed, WAYS[fold]),
        table,
        arguments,
        kept=KEPT,
        write=(write, f"{DOCS} and its pictures"),
    )


if __name__ == "__main__":
    command("benchmarks.private", main)
