"""A case is a task, a seed and a way: how private, and how often right."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import selvedge as sv
from benchmarks.federated import nets
from benchmarks.federated.tasks import Task, digits, har
from benchmarks.federated.world import common, right
from selvedge.federate.privacy.accountant import noise_for
from selvedge.federate.privacy.randomness import derived

FILE = Path(__file__).with_name("habits.toml")
MODEL_SEED = 61
EPSILONS = (16.0, 8.0, 4.0, 2.0, 1.0)
GROUP, COLLUDERS, MASKED_BITS = 20, 2, 12
NONE = 1e-3  # of noise: clipped alone
EVERY = 5  # rounds
OF_EXAMPLES = "examples, epsilon"
UNDER_MASKS = "under masks, epsilon"
Case = Mapping[str, Any]
Habits = Mapping[str, Any]

TASKS: Mapping[str, Callable[[int], Task]] = {
    "digits-100": partial(digits, 0.3),
    "digits-1300": partial(digits, 0.3, count=1300),
    "har": har,
}
WAYS = (  # a task has the first of these
    "dummy", "not private", "clipped, no noise", *(f"epsilon {e:g}" for e in EPSILONS),
    *(f"{OF_EXAMPLES} {e:g}" for e in (8.0, 2.0)), f"{UNDER_MASKS} 8",
)  # fmt: skip
COUNTS: Mapping[str, int] = {"digits-100": len(WAYS), "digits-1300": 8, "har": 10}  # a device of one digit hides it


def habits(task: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(FILE.read_text())[task]
    return found


def case(task: str, seed: int, way: str, own: Habits | None = None) -> dict[str, Any]:
    """As plain data. "last": right of the test samples after the last round; "told": epsilon of all that was told, and
    its unit. "seconds": of the processor."""
    torch.set_num_threads(1)
    began, own = sum(os.times()[:4]), own or habits(task)
    found = _of(way, TASKS[task](seed), own, seed)
    return {"task": task, "seed": seed, "way": way, "habits": dict(own), **found,
            "seconds": round(sum(os.times()[:4]) - began, 1)}  # fmt: skip


def _of(way: str, task: Task, own: Habits, seed: int) -> dict[str, Any]:
    if way == "dummy":
        return {"last": float(common(task))}
    kind, _, number = way.rpartition(" ")
    if kind == OF_EXAMPLES:
        return _examples(float(number), task, own, seed)
    if kind == UNDER_MASKS:
        return _masked(float(number), task, own, seed)
    privacy = None
    if way == "clipped, no noise":
        privacy = sv.Privacy(own["clip"], NONE, 1e12, own["delta"], rate=_lots(own))
    elif kind == "epsilon":
        privacy = sv.Privacy.within(float(number), own["delta"], own["rounds"], own["clip"], _lots(own))
    local = sv.Local(epochs=own["epochs"], rate=own["rate"])
    return _run(task, own, privacy, local, _session(task, own["batch"], seed), seed)


def _lots(own: Habits) -> float | None:
    return None if own["share"] == 1 else float(own["share"])


def _examples(epsilon: float, task: Task, own: Habits, seed: int) -> dict[str, Any]:
    """DP-SGD on every device: as much noise as its steps in all rounds ask for; all say the number that most have."""
    local = sv.Local(epochs=own["example_epochs"], rate=own["example_rate"])
    n = max(len(y) for _, y in task.devices)
    batch = min(own["batch"], n)
    noise = noise_for(epsilon, own["delta"], own["rounds"] * local.epochs * ceil(n / batch), batch / n)
    privacy = sv.Privacy(own["example_clip"], noise, epsilon, own["delta"], where="local", unit="example", examples=n)
    session = _session(task, batch, seed, 1)
    return _run(task, own, privacy, local, session, seed)


def _masked(epsilon: float, task: Task, own: Habits, seed: int) -> dict[str, Any]:
    """Each member's part of the noise under masks: of 20 two may tell theirs. Fewer rounds than of a server's noise,
    for each group has all of it. A four-hundredth of epsilon is left for what a sum of parts is off one Gaussian."""
    rounds = own["masked_rounds"]
    noise = noise_for(0.9975 * epsilon, own["delta"], rounds)
    privacy = sv.Privacy(own["clip"], noise, epsilon, own["delta"], where="distributed", colluders=COLLUDERS)
    masked = sv.Masked(bits=MASKED_BITS, group=GROUP, threshold="two-thirds")
    local = sv.Local(epochs=own["epochs"], rate=own["masked_rate"])
    session = _session(task, own["batch"], seed)
    return _run(task, {**own, "rounds": rounds}, privacy, local, session, seed, masked)


def _session(task: Task, batch: int, seed: int, micro: int | None = None) -> sv.Session:
    """Few weights: noise grows by the root of their number. micro: the plan accumulates calls of so many samples."""
    torch.manual_seed(MODEL_SEED + seed)
    x = task.devices[0][0]
    model: nn.Module = nn.Linear(64, 10) if x.ndim == 2 else nets.walks(0.5, task.classes)
    more = {} if micro is None or batch == 1 else {"accumulate": batch // micro}
    return sv.compile(sv.plan(model, torch.zeros(batch, *x.shape[1:]), optimizer=sv.SGD(0.1), **more))


def _run(
    task: Task,
    own: Habits,
    privacy: sv.Privacy | None,
    local: sv.Local,
    session: sv.Session,
    seed: int,
    masked: sv.Masked | None = None,
) -> dict[str, Any]:
    # Who is asked is drawn where there are lots: the same number on the mean.
    run = sv.Federation(
        "private", own["rounds"], own["clients"], local=local, seed=seed, privacy=privacy, masked=masked
    )
    told = sv.simulate(
        session, task.devices, run, evaluate=lambda s: right(s, task.test), every=EVERY,
        secret=derived(b"a benchmark hides nobody", seed),
    )  # fmt: skip
    course = {p.version: round(float(p.told), 5) for p in told.points if p.told is not None}
    assert told.phase == "done", told.why
    statement = dict(told.statement)
    return {
        "last": right(session, task.test), "course": {"rounds": list(course), "test": list(course.values())},
        "told": statement.get("epsilon"), "unit": statement.get("unit"), "noise": statement.get("noise"),
        "seen": statement.get("epsilon_where_cohorts_are_seen"),
    }  # fmt: skip


def summary(cases: Sequence[Case]) -> dict[str, dict[str, dict[str, Any]]]:
    """task -> way -> "last": mean, "spread": of seeds, or None of one; "seeds"; "told", "noise", "seen". Raises
    ``ValueError`` for cases of other hyper-parameters than the file's."""
    made: dict[str, dict[str, dict[str, Any]]] = {}
    for c in sorted(cases, key=lambda c: (list(TASKS).index(c["task"]), WAYS.index(c["way"]), c["seed"])):
        if c["habits"] != habits(c["task"]):
            raise ValueError(f"{c['task']}: cases of other hyper-parameters than the file's: remove them")
        made.setdefault(c["task"], {}).setdefault(c["way"], {"all": []})["all"].append(c)
    for ways in made.values():
        for row in ways.values():
            right_ = [c["last"] for c in row["all"]]
            row |= {n: row["all"][0].get(n) for n in ("told", "noise", "seen", "unit")}
            row |= {"last": float(np.mean(right_)), "seeds": len(right_)}
            row["spread"] = float(np.std(right_, ddof=1)) if len(right_) > 1 else None
    return made
