"""A case is a task, a seed and a way; a summary is of all of them."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .tasks import TASKS
from .ways import WAYS

FILE = Path(__file__).with_name("habits.toml")
Case = Mapping[str, Any]
BEHIND = 0.01  # of FedAvg's last accuracy, that is to be reached
NEAR = 3  # evaluations whose mean has reached it


def habits(task: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(FILE.read_text())[task]
    return found


def case(task: str, seed: int, way: str, own: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """As plain data. "last", "chosen": right of the test samples after the last round, and after the one that was best
    on the validation samples; "mine": of the device's own. "seconds": of the processor, with its processes'."""
    torch.set_num_threads(1)
    began, own = sum(os.times()[:4]), own or habits(task)
    found = WAYS[way](TASKS[task](seed), own, seed)
    return {"task": task, "seed": seed, "way": way, "habits": dict(own), **found,
            "seconds": round(sum(os.times()[:4]) - began, 1)}  # fmt: skip


def reached(course: Mapping[str, Sequence[float]], accuracy: float) -> int | None:
    """The first evaluation from which the mean of three on the test samples is so high; None: never."""
    test = np.convolve(course["test"], np.ones(NEAR) / NEAR, "valid")
    found = np.flatnonzero(test >= accuracy)
    return int(found[0]) + NEAR - 1 if len(found) else None


def summary(cases: Sequence[Case]) -> dict[str, dict[str, Any]]:
    """task -> way -> "last", "chosen", "mine", "apart" (from FedAvg's last, pairs of a seed): (mean, standard deviation
    or None of one seed) or None; "failed"; "rounds", "up", "joules" until FedAvg's last accuracy less a point, means
    over the seeds that reach it, and "never": how many do not; "fewer": FedAvg's upstream bytes over its own; "late":
    what the last fifth of the rounds gained on the validation samples over the fifth before."""
    made: dict[str, dict[str, Any]] = {}
    for task in dict.fromkeys(c["task"] for c in cases):
        own = {(c["way"], c["seed"]): c for c in cases if c["task"] == task}
        if any(c["habits"] != habits(task) for c in own.values()):
            raise ValueError(f"{task}: cases of other hyper-parameters than the file's: remove them")
        made[task] = {
            way: _of([c for (w, _), c in sorted(own.items()) if w == way], own)
            for way in WAYS
            if any(w == way for w, _ in own)
        }
    return made


def _of(cases: Sequence[Case], all_: Mapping[tuple[str, int], Case]) -> dict[str, Any]:
    failed = [c["failed"] for c in cases if "failed" in c]
    if failed:
        return {"failed": failed[0], "seeds": len(cases)}
    found: dict[str, Any] = {"failed": None, "seeds": len(cases)}
    for name in ("last", "chosen", "mine"):
        found[name] = _spread([c[name] for c in cases if name in c])
    plain = {c["seed"]: all_.get(("FedAvg", c["seed"])) for c in cases}
    pairs = [(c, p) for c in cases if (p := plain[c["seed"]]) is not None]
    found["apart"] = _spread([c["last"] - p["last"] for c, p in pairs])
    together = [(c["course"], p) for c, p in pairs if "course" in c]
    ends = [(course, reached(course, p["last"] - BEHIND)) for course, p in together]
    there = [(course, end) for course, end in ends if end is not None]
    found["never"] = len(ends) - len(there) if ends else None
    for name in ("rounds", "up", "joules"):
        found[name] = float(np.mean([course[name][end] for course, end in there])) if there else None
    found["fewer"] = float(np.mean([p["course"]["up"][-1] / c["up"][-1] for c, p in together])) if together else None
    gains = [_late(course["validation"]) for course, _ in together]
    found["late"] = float(np.mean(gains)) if together else None
    return found


def _late(validation: Sequence[float]) -> float:
    fifth = max(1, len(validation) // 5)
    return float(np.mean(validation[-fifth:]) - np.mean(validation[-2 * fifth : -fifth]))


def _spread(values: Sequence[float]) -> tuple[float, float | None] | None:
    """Mean and standard deviation."""
    if not values:
        return None
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None
