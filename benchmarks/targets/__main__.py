"""``python -m benchmarks.targets [--targets a,b] [--models a,b] [--kinds a,b] [--show] [--write]``: what each target
costs beside our own runtime. A process a model and kind emits; each target is then measured in processes of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from selvedge.artifact import files
from selvedge.artifact.targets import TARGETS

from ..cell_file import cell_file
from ..chosen import chosen
from ..command import command
from .page import DOCS, read, table, write
from .work import KINDS, MODELS

KEPT = Path(__file__).parents[1] / "results" / "targets"


def main(arguments: list[str] | None = None) -> int:
    given = chosen(
        "targets",
        "Time and memory of each target beside our own runtime: predicting (float, int8), learning.",
        "A file a case lies in benchmarks/results/targets; what was interrupted goes on behind the last one.",
        {"targets": TARGETS, "models": MODELS, "kinds": KINDS},
        DOCS,
        arguments,
        shown="the tables",
    )
    if given is None:
        return 2
    KEPT.mkdir(parents=True, exist_ok=True)
    for kind in () if given.show else given.of["kinds"]:
        for model in given.of["models"]:
            missing = [t for t in given.of["targets"] if not cell_file(KEPT, t, model, kind).exists()]
            for target, made in measured(model, kind, missing):
                text = json.dumps({"target": target, "model": model, "kind": kind, **made})
                files.write(cell_file(KEPT, target, model, kind), (text + "\n").encode())
                said = f"failed: {made['failed']}" if "failed" in made else f"{made['seconds']:.0f} s"
                print(f"{target}, {model}, {kind}: {said}", file=sys.stderr, flush=True)
    print(table(read(KEPT)))
    if given.write:
        write(KEPT)
    return 0


def measured(model: str, kind: str, targets: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each target and its case. A target that ends the process fails alone: another process goes on behind it."""
    left = list(targets)
    while left:
        with tempfile.TemporaryFile("w+") as said:
            line = [sys.executable, "-W", "ignore", "-m", "benchmarks.targets.cell", model, kind, *left]
            start = time.perf_counter()
            with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=said, text=True) as process:
                assert process.stdout is not None
                for told in process.stdout:
                    yield left.pop(0), {**json.loads(told), "seconds": round(time.perf_counter() - start, 1)}
                    start = time.perf_counter()
            if left:
                said.seek(0)
                last = (said.read().strip().splitlines() or [f"the process ended with {process.returncode}"])[-1]
                seconds = round(time.perf_counter() - start, 1)
                yield left.pop(0), {"failed": f"emitting it ended the process: {last}"[:300], "seconds": seconds}


if __name__ == "__main__":
    command("benchmarks.targets", main)
