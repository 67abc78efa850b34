"""``python -m benchmarks.attacks [--tasks a,b] [--seeds N] [--show] [--write]``: what can be made of what leaves a
device. A case is kept as it is made; a run that was interrupted goes on behind the last one."""

from __future__ import annotations

from pathlib import Path

from benchmarks.auto.sources import FOLDER

from ..cases import run
from ..command import command
from .experiment import TASKS, case
from .page import DOCS, table, write

KEPT = Path(__file__).parents[1] / "results" / "attacks"
TELLS = "What an attacker makes of an update, of a masked sum, of a final model; with and without noise."


def main(arguments: list[str] | None = None) -> int:
    return run(
        "attacks",
        TELLS,
        dict.fromkeys(TASKS, 1),
        absent,
        lambda task, seed, fold, options: case(task, seed),
        table,
        arguments,
        kept=KEPT,
        write=(write, f"{DOCS} and its pictures"),
    )


def absent(task: str) -> str | None:
    """The folder that a task needs, if it is not there."""
    folder = FOLDER / "mnist_png"
    return None if task in ("members", "updates") or folder.is_dir() else str(folder)


if __name__ == "__main__":
    command("benchmarks.attacks", main)
