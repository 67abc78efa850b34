"""``python -m benchmarks.targets_real [--tasks a,b] [--targets a,b] [--show] [--write]``: int8 in each
target on real data, beside our own runtime."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from selvedge.artifact import files
from selvedge.artifact.targets import TARGETS

from ..chosen import chosen
from ..command import command
from .experiment import TASKS, absent, case
from .page import DOCS, read, table, write

KEPT = Path(__file__).parents[1] / "results" / "targets_real"


def main(arguments: list[str] | None = None) -> int:
    given = chosen(
        "targets_real",
        "Top answers and accuracy of int8 networks on real data, target by target.",
        "A file a case lies in benchmarks/results/targets_real; what was interrupted goes on behind it.",
        {"tasks": TASKS, "targets": TARGETS},
        DOCS,
        arguments,
    )
    if given is None:
        return 2
    KEPT.mkdir(parents=True, exist_ok=True)
    for task in () if given.show else given.of["tasks"]:
        missing = absent(task)
        if missing:
            print(f"benchmarks.targets_real: {task} needs {missing}: set SELVEDGE_DATA", file=sys.stderr)
            return 2
        for target in given.of["targets"]:
            path = KEPT / f"{task.replace(' ', '_')}-{target}.json"
            if not path.exists():
                made = case(task, target)
                files.write(path, (json.dumps(made) + "\n").encode())
                said = f"failed: {made['failed']}" if "failed" in made else f"{made['same']} of {made['samples']}"
                print(f"{task}, {target}: {said}, {made['seconds']:.0f} s", file=sys.stderr, flush=True)
    print(table(read(KEPT)))
    if given.write:
        write(KEPT)
    return 0


if __name__ == "__main__":
    command("benchmarks.targets_real", main)
