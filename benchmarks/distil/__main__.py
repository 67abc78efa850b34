"""``python -m benchmarks.distil [--tasks a,b] [--seeds N] [--folds N] [--out FOLDER]``: points gained, as a table.

A file a case lies in the folder; a run that was interrupted goes on behind the last one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from selvedge.artifact import files

from .experiment import case, summary, table
from .tasks import TASKS, absent


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.distil", description=__doc__)
    parser.add_argument("--tasks", default=",".join(TASKS), help="with commas between")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folds", type=int, default=0, help="of a task with folds, at most; 0: all")
    parser.add_argument("--epochs", type=int, help="instead of the task's own")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "selvedge-distil", help="a folder")
    parser.add_argument("--show", action="store_true", help="only the table of what is there")
    given = parser.parse_args(arguments)
    cases = []
    given.out.mkdir(parents=True, exist_ok=True)
    for seed in range(given.seeds):
        for task in given.tasks.split(","):
            missing = absent(task)
            if missing:
                print(f"benchmarks.distil: {task} needs {missing}: set SELVEDGE_DATA", file=sys.stderr)
                return 2
            folds = TASKS[task][1]
            for fold in range(min(folds, given.folds) if given.folds else folds):
                path = given.out / f"{task}-{seed}-{fold}.json"
                if not path.exists():
                    if given.show:
                        continue
                    files.write(path, json.dumps(case(task, seed, fold, given.epochs)).encode())
                cases.append(json.loads(path.read_text()))
                print(f"{task}, seed {seed}, fold {fold}: {cases[-1]['seconds']:.0f} s", file=sys.stderr, flush=True)
    if cases:
        print(table(summary(cases)))
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
