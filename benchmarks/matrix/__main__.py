"""``python -m benchmarks.matrix [--targets a,b] [--models a,b] [--kinds a,b] [--show] [--write]``: a cell a process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from selvedge.artifact import files
from selvedge.artifact.targets import TARGETS

from ..cell_file import cell_file
from ..chosen import chosen
from ..command import command
from .models import MODELS
from .page import DOCS, table, write

KEPT = Path(__file__).parents[1] / "results" / "matrix"
KINDS = ("float", "int8", "train")
LONGEST = 900  # seconds of a cell


def main(arguments: list[str] | None = None) -> int:
    given = chosen(
        "matrix",
        "Target x model x {float, int8, train}: what ran, how near, what it lacks.",
        "A file a cell lies in benchmarks/results/matrix; what was interrupted goes on behind the last one.",
        {"targets": TARGETS, "models": MODELS, "kinds": KINDS},
        DOCS,
        arguments,
    )
    if given is None:
        return 2
    KEPT.mkdir(parents=True, exist_ok=True)
    for model in given.of["models"]:
        for target in given.of["targets"]:
            for kind in given.of["kinds"]:
                path = cell_file(KEPT, target, model, kind)
                if not given.show and not path.exists():
                    made = _made(target, model, kind)
                    files.write(path, (json.dumps(made) + "\n").encode())
                    said = next(f"{k} {made[k]}" for k in ("ran", "lacks", "wrong") if k in made)
                    print(f"{target}, {model}, {kind}: {said}, {made['seconds']:.0f} s", file=sys.stderr, flush=True)
    cells = kept(KEPT)
    print(table(cells))
    if given.write:
        write(cells)
    return 1 if any("wrong" in cell for cell in cells) else 0


def kept(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def _made(target: str, model: str, kind: str) -> dict[str, Any]:
    start = time.perf_counter()
    line = [sys.executable, "-W", "ignore", "-m", "benchmarks.matrix.cell", target, model, kind]
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=LONGEST)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"])[-1]
            found = {"wrong": last[:300]}
        else:
            found = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        found = {"wrong": f"not ended in {LONGEST} s"}
    return {"target": target, "model": model, "kind": kind, **found, "seconds": round(time.perf_counter() - start, 1)}


if __name__ == "__main__":
    command("benchmarks.matrix", main)
