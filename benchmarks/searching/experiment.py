"""A case is a task and a person whom nothing has met; the search is :func:`selvedge.compressing` on all the others.

What it chooses is to run in 64 KiB and to train in 128 KiB. Against it stands what the same search would take for its
accuracy as shipped, in its own best adaptation within the same 128 KiB. Both learn 600 samples of the new person, at
rates that other people chose, and are judged on later ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

import selvedge as sv
from benchmarks.answers import difference, kept, right
from benchmarks.auto import sources
from selvedge.make.searching.candidate import Candidate
from selvedge.make.searching.compressed import Compressed
from selvedge.make.searching.learning import learn
from selvedge.make.searching.material import Person, person

DEVICE = sv.Device(name="board", ram="128KiB", flash="1MiB")
BUDGET = "run=64KiB,train=128KiB"
SAMPLES = 600
OURS, ALONE = "chosen to learn", "chosen to predict"
WAYS = (f"{ALONE}, as shipped", f"{ALONE}, adapted", f"{OURS}, as shipped", f"{OURS}, adapted")
KIND = "right"


@dataclass(frozen=True, slots=True)
class Task:
    """``data``: x, y, whose each sample is. ``epochs``: of training."""

    data: Callable[[], tuple[np.ndarray, ...]]
    space: Callable[[], sv.Space]
    people: int
    folder: str
    epochs: int


def separable(width: float, late: int) -> nn.Module:
    """[N, 1, H, W] -> logits [N, 10]: MobileNet V1's blocks behind a stride of 2; ``late``: the stride of the second
    block and of the fourth."""
    first, middle, last = (round(c * width) for c in (32, 48, 64))
    layers: list[nn.Module] = [nn.Conv2d(1, first, 3, 2, 1), nn.BatchNorm2d(first), nn.ReLU()]
    for i, o, stride in ((first, first, 1), (first, middle, late), (middle, middle, 1), (middle, last, late)):
        layers += [nn.Conv2d(i, i, 3, stride, 1, groups=i), nn.BatchNorm2d(i), nn.ReLU()]
        layers += [nn.Conv2d(i, o, 1), nn.BatchNorm2d(o), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, 10))


def series(width: float) -> nn.Module:
    """[N, 6, T] -> logits [N, 5]: three convolutions of stride 2."""
    layers: list[nn.Module] = []
    inputs = 6
    for channels in (16, 32, 32):
        outputs = round(channels * width)
        layers += [nn.Conv1d(inputs, outputs, 5, 2), nn.BatchNorm1d(outputs), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(inputs, 5))


TASKS: Mapping[str, Task] = {
    "fsdd": Task(
        sources.fsdd, lambda: sv.Space(separable, width=(0.5, 1.0, 1.5, 2.0, 3.0), late=(1, 2)), 6, "fsdd", 18,
    ),
    "har": Task(
        lambda: sources.har()[:3], lambda: sv.Space(series, width=(0.5, 1.0, 2.0, 4.0), resolution=(1.0, 0.5)),
        23, "har_sp_sw_23subjects", 12,
    ),
}  # fmt: skip


def absent(task: str) -> str | None:
    """The folder that ``task`` needs, if it is not there."""
    folder = sources.FOLDER / TASKS[task].folder
    return None if folder.is_dir() else str(folder)


def case(name: str, seed: int, epochs: int | None = None, folder: Path | None = None) -> dict[str, Any]:
    """One person, as plain data; "right": a character a test sample, 1 where it was told right. folder: of the search,
    which goes on there."""
    start, task = time.process_time(), TASKS[name]
    x, y, who = task.data()
    new = int(np.random.default_rng([51, 0]).permutation(task.people)[seed % task.people])
    others = who != new
    found = sv.compress(
        task.space(), (x[others], y[others]), who=who[others], judges=1 if task.people < 10 else 3, device=DEVICE,
        budget=BUDGET, learn=SAMPLES, epochs=epochs or task.epochs, keep=6, finalists=3, distil=False, folder=folder,
        seed=seed,
    )  # fmt: skip
    owner = person(str(new), x, y, np.flatnonzero(who == new))
    rows = []
    for label, candidate in ((ALONE, found.for_inference_alone), (OURS, found.best)):
        before, after = _told(found, candidate, owner, seed)
        about = candidate.to_dict()
        rows += [
            {"way": f"{label}, as shipped", KIND: before, **about},
            {"way": f"{label}, adapted", KIND: after, **about},
        ]
    dummy = float((owner.test[1].numpy() == np.bincount(y[others]).argmax()).mean())
    return {
        "task": name, "seed": seed, "fold": 0, "person": new, "epochs": epochs or task.epochs,
        "samples": [int(others.sum()), len(owner.learn[1]), len(owner.test[1])], "dummy": dummy, "rows": rows,
        "search": found.to_dict(), "seconds": time.process_time() - start,
    }  # fmt: skip


def _told(found: Compressed, candidate: Candidate, owner: Person, seed: int) -> tuple[str, str]:
    """Right answers before and behind learning, of compiled code whose arena is painted and measured."""
    _, plan = found.take(candidate)
    used = sv.measured(plan)
    figures = candidate.figures
    if used.arena != figures.train_bytes or used.faults:
        raise AssertionError(f"{candidate.name}: planned {figures.train_bytes} B, used {used.arena} B; {used.faults}")
    run = plan.persistent_bytes + used.transient["predict"]
    if run != figures.run_bytes:
        raise AssertionError(f"{candidate.name}: runs in {run} B, not in {figures.run_bytes} B")
    session = sv.compile(plan)
    before = _right(session, owner)
    if candidate.rate:
        learn(session, owner, SAMPLES, candidate.rate, seed)
    return before, _right(session, owner)


def _right(session: sv.Session, owner: Person) -> str:
    x, y = owner.test[0].numpy(), owner.test[1].numpy()
    return "".join("01"[int(session.predict(x[i : i + 1])[0].argmax() == y[i])] for i in range(len(y)))


def summary(cases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Task -> way -> accuracy; and the points by which what was chosen to learn is better, both adapted."""
    made: dict[str, Any] = {}
    for task in dict.fromkeys(c["task"] for c in cases):
        own = [c for c in cases if c["task"] == task]
        made[task] = {
            "people": len(own),
            "tests": sum(c["samples"][2] for c in own),
            "dummy": float(np.mean([c["dummy"] for c in own])),
            "ways": {way: _way(own, way) for way in WAYS},
            "gained": difference(own, WAYS[3], WAYS[1], KIND),
            "better": sum(right(c, WAYS[3], KIND).mean() > right(c, WAYS[1], KIND).mean() for c in own),
            "worse": sum(right(c, WAYS[3], KIND).mean() < right(c, WAYS[1], KIND).mean() for c in own),
        }  # fmt: skip
    return made


def _way(own: Sequence[dict[str, Any]], way: str) -> dict[str, float]:
    each = [right(c, way, KIND).mean() for c in own]
    sizes = {k: float(np.mean([kept(c, way)[k] for c in own])) for k in ("run_bytes", "train_bytes", "learns")}
    return {"accuracy": float(np.mean(each)), "spread": float(np.std(each, ddof=len(each) > 1)), **sizes}


def table(made: dict[str, Any]) -> str:
    """Markdown, in per cent and points."""
    lines = [
        "| task | way | accuracy | RAM to run | RAM to train | numbers that learn |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for task, found in made.items():
        head = f"{task}, {found['people']} people, {found['tests']:,} tests"
        lines.append(f"| {head} | guessing | {100 * found['dummy']:.1f} | | | |")
        for way, row in found["ways"].items():
            lines.append(
                f"| | {way} | {100 * row['accuracy']:.1f} ± {100 * row['spread']:.1f} | {row['run_bytes']:,.0f} | "
                f"{row['train_bytes']:,.0f} | {row['learns']:,.0f} |"
            )
        points = {k: 100 * v for k, v in found["gained"].items()}
        said = f"{points['mean']:+.2f}, 95 % {points['low']:+.2f} to {points['high']:+.2f}"
        said += f", 2 s.e. {2 * points['error']:.2f}; better for {found['better']}, worse for {found['worse']}"
        lines.append(f"| | gained by choosing to learn | {said} | | | |")
    return "\n".join(lines)
