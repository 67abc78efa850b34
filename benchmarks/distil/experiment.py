"""A case is a task, a seed and a fold; a summary is of all cases; a table is for people."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.answers import difference, kept, right

from .tasks import TASKS
from .ways import ways

ALONE = "alone"
KINDS = ("best", "last")


def case(name: str, seed: int, fold: int, epochs: int | None = None) -> dict[str, Any]:
    """Every way on one task, as plain data; "best", "last": a character a test sample, 1 where it was told right."""
    torch.set_num_threads(1)
    start = time.perf_counter()
    task = TASKS[name][0](seed, fold)
    if epochs is not None:
        task = replace(task, epochs=epochs)
    rows = [
        {
            "way": found.way, "epoch": found.epoch, "parameters": found.parameters,
            **{kind: "".join("01"[int(r)] for r in getattr(found, kind)) for kind in KINDS},
        }
        for found in ways(task, seed)
    ]  # fmt: skip
    return {
        "task": name,
        "seed": seed,
        "fold": fold,
        "epochs": task.epochs,
        "samples": [len(part[1]) for part in (task.train, task.validation, task.test)],
        "dummy": float((task.test[1] == np.bincount(task.train[1]).argmax()).mean()),
        "rows": rows,
        "seconds": time.perf_counter() - start,
    }


def summary(cases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Task -> way -> accuracy, and the points gained on the student alone with their central 95 % interval and standard
    error, of the same test samples, seed by seed."""
    made: dict[str, Any] = {}
    for task in dict.fromkeys(c["task"] for c in cases):
        own = [c for c in cases if c["task"] == task]
        seeds = sorted({c["seed"] for c in own})
        made[task] = {
            "cases": len(own),
            "seeds": len(seeds),
            "samples": sum(c["samples"][2] for c in own),
            "dummy": float(np.mean([c["dummy"] for c in own])),
            "ways": {},
        }
        for way in (r["way"] for r in own[0]["rows"]):
            row: dict[str, Any] = {"parameters": kept(own[0], way)["parameters"]}
            for kind in KINDS:
                row[kind] = float(np.mean([right(c, way, kind).mean() for c in own]))
                row[f"{kind} gained"] = difference(own, way, ALONE, kind)
            made[task]["ways"][way] = row
    return made


def table(made: dict[str, Any]) -> str:
    """Markdown, in per cent and points. A way helps, or hurts, where what is gained is beyond two standard errors; with
    one seed the error is that of the test samples alone, which is too small, and nothing is judged."""
    lines = [
        "| task | way | parameters | chosen epoch | gained | 95 % | 2 s.e. | judged | last epoch | gained |",
        "|---|---|---:|---:|---:|---:|---:|---|---:|---:|",
    ]
    for task, found in made.items():
        counts = f"{found['cases']} cases, {found['seeds']} seeds, {found['samples']:,} tests"
        lines.append(f"| {task}: {counts} | guessing | | {100 * found['dummy']:.1f} | | | | | | |")
        for way, row in found["ways"].items():
            best, last = row["best gained"], row["last gained"]
            points, error = 100 * best["mean"], 200 * best["error"]
            said = "helps" if points > error else "hurts" if points < -error else "open"
            if way in (ALONE, "teacher") or found["seeds"] < 2:
                said = ""
            lines.append(
                f"| | {way} | {row['parameters']:,} | {100 * row['best']:.2f} | {points:+.2f} | "
                f"{100 * best['low']:+.2f} to {100 * best['high']:+.2f} | {error:.2f} | {said} | "
                f"{100 * row['last']:.2f} | {100 * last['mean']:+.2f} |"
            )
    return "\n".join(lines)
