"""``python -m benchmarks.targets.cell MODEL KIND TARGET...`` plans once, and for each target emits, has it timed beside
our own runtime in one process and its memory measured in another, and prints a line of JSON."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

import selvedge as sv
from benchmarks.environment import cpu
from selvedge.artifact.targets import TARGETS
from selvedge.errors import SelvedgeError, one_line

from .work import Given, given, tiny

OWN = "c"
ROOT = Path(__file__).parents[2]
LONGEST = 600  # seconds of one of the two processes


def cells(spec: str, kind: str, targets: Sequence[str]) -> Iterator[dict[str, Any]]:
    """One of each target, in order."""
    works = given(spec, kind), tiny(kind)
    with tempfile.TemporaryDirectory(prefix="selvedge-targets-") as folder:
        ours = sv.emit(works[0].plan, OWN, Path(folder) / OWN)
        for target in targets:
            yield cell(target, works, kind, ours, Path(folder) / "cell")


def cell(target: str, works: tuple[Given, Given], kind: str, ours: Path, folder: Path) -> dict[str, Any]:
    """``failed``: the error of this run; or "ours", "theirs", "times" of :func:`.timed.timed`, "memory" of
    :func:`.resident.resident`, and the seconds that emitting took. With where and when it was measured.
    works: the model's and the two layers'. ours: the artifact of our own runtime.
    """
    about = {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": cpu(),
        "load": round(os.getloadavg()[0], 1),
        "packages": {p.name: p.installed for p in TARGETS[target].packages},
    }
    try:
        return {**_measured(target, works, kind, ours, folder), **about}
    except (SelvedgeError, RuntimeError) as error:
        return {"failed": one_line(str(error))[:300], **about}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measured(target: str, works: tuple[Given, Given], kind: str, ours: Path, folder: Path) -> dict[str, Any]:
    places, seconds = (folder / "model", folder / "tiny"), []
    for work, place in zip(works, places, strict=True):
        place.mkdir(parents=True)
        start = time.perf_counter()
        sv.emit(work.plan, target, place / "net")
        seconds.append(time.perf_counter() - start)
        np.savez(place / "data.npz", **{"x": work.x, **({} if work.y is None else {"y": work.y})})
    return {
        **_process("timed", places[0] / "net" if target == OWN else ours, places[0], kind),
        "memory": _process("resident", places[1], places[0], kind),
        "emitted": round(seconds[0], 1),
    }


def _process(module: str, *arguments: object) -> dict[str, Any]:
    """What a process of its own prints. Raises ``RuntimeError`` with its last line where it fails."""
    line = [sys.executable, "-W", "ignore", "-m", f"benchmarks.targets.{module}", *map(str, arguments)]
    environment: Mapping[str, str] = {**os.environ, "OMP_NUM_THREADS": "1", "TVM_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            line, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=LONGEST
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{module}: not ended in {LONGEST} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"])[-1]
        raise RuntimeError(f"{module}: {last}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for made in cells(sys.argv[1], sys.argv[2], sys.argv[3:]):
        print(json.dumps(made), flush=True)
