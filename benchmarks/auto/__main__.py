"""``python -m benchmarks.auto [--tasks a,b] [--seeds N] [--out FILE]``: the four transfers, as tables."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from selvedge.artifact import files

from .experiment import case, summary, table
from .sources import absent
from .tasks import TASKS


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.auto", description=__doc__)
    parser.add_argument("--tasks", default=",".join(TASKS), help="with commas between")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="every figure as JSON, kept after each case and taken up again")
    parser.add_argument("--weights", type=Path, default=Path(tempfile.gettempdir()) / "selvedge-auto", help="a folder")
    given = parser.parse_args(arguments)
    cases = json.loads(given.out.read_text()) if given.out and given.out.exists() else []
    done = {(c["task"], c["seed"]) for c in cases}
    for seed in range(given.seeds):
        for task in given.tasks.split(","):
            missing = absent(task)
            if missing:
                print(f"benchmarks.auto: {task} needs {missing}: set SELVEDGE_DATA", file=sys.stderr)
                return 2
            if (task, seed) in done:
                continue
            cases.append(case(task, seed, given.weights))
            print(f"{task}, seed {seed}: {cases[-1]['seconds']:.0f} s", file=sys.stderr, flush=True)
            if given.out:
                files.write(given.out, json.dumps(cases).encode())
    print(table(summary(cases)))
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
