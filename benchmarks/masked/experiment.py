"""One case: a cohort, and whose protocol it goes through, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.federated.peer import VARIABLE, python
from benchmarks.written import ROOT
from selvedge.federate.grid.flower_loopback import QUIET

BITS = 8  # of a value of ours; Flower's are 22 wide in a ring of 32
WHO = ("ours", "Flower's SecAgg+")


@dataclass(frozen=True, slots=True)
class Cohort:
    """``lost``: how many are gone between sharing their keys and sending their input. most: members of a group of ours;
    neighbours: with how many Flower's client shares a mask, itself among them; None: there is no such row."""

    clients: int
    parameters: int
    lost: int
    most: int = 512
    neighbours: int | None = 21

    @property
    def name(self) -> str:
        return f"{self.clients}-{self.parameters}-{self.lost}-{self.most}"


COHORTS = {
    cohort.name: cohort
    for cohort in (
        *(Cohort(100, size, lost) for size in (1_000_000, 100_000, 10_000) for lost in (0, 10)),
        Cohort(40, 100_000, 4, neighbours=40),
        *(Cohort(1000, 100_000, 0, most, None) for most in (64, 100)),
    )
}


def folds(cohort: Cohort) -> int:
    return 1 if cohort.neighbours is None else len(WHO)


def case(name: str, turn: int, fold: int) -> dict[str, Any]:
    cohort, who = COHORTS[name], WHO[fold]
    began, load = time.perf_counter(), os.getloadavg()[0]
    given = {"clients": cohort.clients, "parameters": cohort.parameters, "lost": cohort.lost}
    if who == "ours":
        found = _alone(sys.executable, "benchmarks.masked.ours", {**given, "bits": BITS, "most": cohort.most})
    elif (interpreter := python()) is None:
        found = {"failed": f"{VARIABLE} names no Python with flwr==1.41.0: set it, and remove this case"}
    else:
        assert cohort.neighbours is not None
        shares = cohort.neighbours / cohort.clients
        found = _alone(interpreter, "benchmarks.masked.flower", {**given, "shares": shares})
    seconds = round(time.perf_counter() - began, 1)
    return {"cohort": name, "turn": turn, "who": who, "load": round(load, 1), "seconds": seconds, **found}


def _alone(interpreter: str, module: str, given: dict[str, Any]) -> dict[str, Any]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    env = {**os.environ, **QUIET, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [interpreter, "-m", module, json.dumps(given)], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        return {"failed": f"it ended with {done.returncode}: {lines[-1][:200] if lines else 'no word'}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
