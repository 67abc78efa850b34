"""``python -m benchmarks.guarded [--tasks a,b] [--seeds N] [--write]``: rates that are found, labels that are doubted,
and collapse that is taken back."""

from __future__ import annotations

from pathlib import Path

from benchmarks.auto.sources import FOLDER

from ..cases import run
from ..command import command
from .experiment import TASKS, case
from .page import DOCS, table, write

KEPT = Path(__file__).parents[1] / "results" / "guarded"


def absent(task: str) -> str | None:
    folder = FOLDER / ("har_sp_sw_23subjects" if task == "people" else "mnist_png")
    return None if folder.is_dir() else str(folder)


def main(arguments: list[str] | None = None) -> int:
    return run(
        "guarded",
        "What a rate that is found, a guard of labels and one of collapse are worth.",
        dict.fromkeys(TASKS, 1),
        absent,
        lambda task, seed, fold, given: case(task, seed),
        table,
        arguments,
        kept=KEPT,
        write=(write, DOCS),
    )


if __name__ == "__main__":
    command("benchmarks.guarded", main)
