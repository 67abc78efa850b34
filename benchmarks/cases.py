"""The command of a benchmark that goes case by case - a task, a seed, a fold - and then shows all as a table."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from selvedge.artifact import files

Case: TypeAlias = dict[str, Any]
EPILOG = "A file a case lies in the folder; a run that was interrupted goes on behind the last one."


def run(
    name: str,
    tells: str,
    folds_of: Mapping[str, int],
    absent: Callable[[str], str | None],
    case: Callable[[str, int, int, argparse.Namespace], Case],
    shown: Callable[[Sequence[Case]], str],
    arguments: Sequence[str] | None = None,
    kept: Path | None = None,
    write: tuple[Callable[[Path], None], str] | None = None,
) -> int:
    """``python -m benchmarks.NAME``: makes what is missing and prints ``shown`` of all. Returns the exit code.

    tells: what the table says. folds_of: task -> its folds. absent: the folder of data that a task lacks. case: of a
    task, a seed and a fold, with "seconds". kept: the folder of cases, else a temporary one. write:
    what --write does with all cases of that folder, and the pages that it says it writes.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=tells, epilog=EPILOG)
    parser.add_argument("--tasks", default=",".join(folds_of), help="with commas between")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folds", type=int, default=0, help="of a task with folds, at most; 0: all")
    parser.add_argument("--epochs", type=int, help="instead of the task's own")
    folder = kept or Path(tempfile.gettempdir()) / f"selvedge-{name}"
    parser.add_argument("--out", type=Path, default=folder, help="a folder")
    parser.add_argument("--show", action="store_true", help="only the table of what is there")
    if write:
        parser.add_argument("--write", action="store_true", help=f"all that is kept, into {write[1]}")
    given = parser.parse_args(arguments)
    cases: list[Case] = []
    given.out.mkdir(parents=True, exist_ok=True)
    for seed in range(given.seeds):
        for task in given.tasks.split(","):
            if task not in folds_of:
                print(f"benchmarks.{name}: --tasks is {task}: give some of {', '.join(folds_of)}", file=sys.stderr)
                return 2
            missing = absent(task)
            if missing:
                print(f"benchmarks.{name}: {task} needs {missing}: set SELVEDGE_DATA", file=sys.stderr)
                return 2
            for fold in range(min(folds_of[task], given.folds or folds_of[task])):
                path = given.out / f"{task}-{seed}-{fold}.json"
                if not path.exists():
                    if given.show:
                        continue
                    files.write(path, json.dumps(case(task, seed, fold, given)).encode())
                cases.append(json.loads(path.read_text()))
                print(f"{task}, seed {seed}, fold {fold}: {cases[-1]['seconds']:.0f} s", file=sys.stderr, flush=True)
    if cases:
        print(shown(cases))
    if write and given.write:
        write[0](folder)
    return 0
