"""``python -m benchmarks.federated [--tasks a,b] [--seeds N] [--folds N] [--write]``: a fold is a way."""

from __future__ import annotations

from pathlib import Path

from ..cases import run
from ..command import command
from .experiment import case
from .page import DOCS, table, write
from .tasks import TASKS, absent
from .ways import WAYS

KEPT = Path(__file__).parents[1] / "results" / "federated"
TELLS = "What devices that learn together come to, beside alone and all in one place, and in how few bytes."


def main(arguments: list[str] | None = None) -> int:
    return run(
        "federated",
        TELLS,
        dict.fromkeys(TASKS, len(WAYS)),
        absent,
        lambda task, seed, fold, options: case(task, seed, list(WAYS)[fold]),
        table,
        arguments,
        kept=KEPT,
        write=(write, f"{DOCS} and its pictures"),
    )


if __name__ == "__main__":
    command("benchmarks.federated", main)
