"""``python -m benchmarks.targets.timed OURS THEIRS KIND``: our artifact, and another runtime's with its
data, of the same plan, in one process without torch, in turns; prints seconds a call of each as JSON.

Seconds are the processor's, of all threads of the process: what others take on a busy machine is left out, and a
runtime that would take a second thread pays for it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import Timing, interleaved, ratios

from .opened import call, data, opened

ROUNDS, TURN, MOST = 15, 0.02, 1.0  # seconds of a turn, and of all turns of one
NEAR, APART, LOSS = 1e-4, 8.0, 1e-3  # of the largest number; int8 steps on the mean, as of benchmarks.int8; of a loss


def timed(ours: Path, theirs: Path, x: np.ndarray, y: np.ndarray | None, kind: str) -> dict[str, Any]:
    """{"ours": of :class:`Timing`, "theirs": the same, "times": how many times ours theirs took, round by round}; only
    ours where both are the same folder. Raises ``RuntimeError`` where they do not compute the same."""
    sessions = {"ours": opened(ours)}
    if theirs != ours:
        sessions["theirs"] = opened(theirs)
    learns = kind == "train"
    if learns:  # two at the plan's own rate show that both update; then at 0, so that every step is the same work
        answers = {name: np.float32([session.step(x, y) for _ in range(2)]) for name, session in sessions.items()}
    else:
        answers = {name: session.predict(x) for name, session in sessions.items()}
    if "theirs" in answers:
        alike(answers["ours"], answers["theirs"], kind)
    calls = {name: call(session, x, y, 0.0 if learns else None) for name, session in sessions.items()}
    found = interleaved(calls, ROUNDS, TURN, MOST, clock=time.process_time)
    made: dict[str, Any] = {name: asdict(Timing.of(list(rounds.values()))) for name, rounds in found.items()}
    if "theirs" in found:
        made["times"] = asdict(Timing.of(ratios(found["ours"], found["theirs"])))
    return {**made, "threads": len(os.listdir("/proc/self/task"))}


def alike(ours: np.ndarray, theirs: np.ndarray, kind: str) -> None:
    """Raises ``RuntimeError`` where they are further apart than rounding."""
    away = np.abs(theirs.astype(np.float64) - ours.astype(np.float64))
    bound = {"float": NEAR * np.abs(ours).max(), "int8": APART, "train": LOSS * np.abs(ours).max()}[kind]
    far = float(away.mean() if kind == "int8" else away.max())
    if not far <= bound:
        raise RuntimeError(f"it computes something else: {far:.3g} from ours, {bound:.3g} allowed")


def main(ours: str, theirs: str, kind: str) -> None:
    print(json.dumps(timed(Path(ours), Path(theirs) / "net", *data(Path(theirs)), kind)))


if __name__ == "__main__":
    main(*sys.argv[1:])
