"""A case is a task, a seed and a fold; a summary is of all cases; a table is for people."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.answers import difference, kept, right
from benchmarks.quantise.tasks import TASKS

from .ways import CRITERIA, ways

WHOLE = "unpruned"
KINDS = ("best", "last")


def case(
    name: str, seed: int, fold: int, epochs: int | None = None, criteria: tuple[str, ...] = CRITERIA
) -> dict[str, Any]:
    """Every way on one task, as plain data; "best", "last": a character a test sample, 1 where it was told right."""
    torch.set_num_threads(1)
    start = time.process_time()
    task = TASKS[name][0](seed, fold)
    if epochs is not None:
        task = replace(task, epochs=epochs)
    rows = [
        {
            "way": found.way, "epoch": found.epoch, "share": dict(found.share),
            **{kind: "".join("01"[int(r)] for r in getattr(found, kind)) for kind in KINDS},
        }
        for found in ways(task, seed, criteria)
    ]  # fmt: skip
    dummy = float((task.test[1] == np.bincount(task.train[1]).argmax()).mean())
    samples = [len(part[1]) for part in (task.train, task.validation, task.test)]
    return {
        "task": name, "seed": seed, "fold": fold, "epochs": task.epochs, "samples": samples, "dummy": dummy,
        "rows": rows, "seconds": time.process_time() - start,
    }  # fmt: skip


def summary(cases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Task -> way -> accuracy, and points lost to the unpruned float network, with their central 95 % interval and
    standard error."""
    made: dict[str, Any] = {}
    for task in dict.fromkeys(c["task"] for c in cases):
        own = [c for c in cases if c["task"] == task]
        seeds = sorted({c["seed"] for c in own})
        dummy = float(np.mean([c["dummy"] for c in own]))
        made[task] = {"cases": len(own), "seeds": len(seeds), "dummy": dummy, "ways": {}}
        for way in (r["way"] for r in own[0]["rows"]):
            shares = [kept(c, way)["share"] for c in own]
            row: dict[str, Any] = {"share": {k: float(np.mean([s[k] for s in shares])) for k in shares[0]}}
            for kind in KINDS:
                row[kind] = float(np.mean([right(c, way, kind).mean() for c in own]))
                row[f"{kind} lost"] = difference(own, WHOLE, way, kind)
            made[task]["ways"][way] = row
    return made


def table(made: dict[str, Any]) -> str:
    """Markdown, in per cent and points."""
    head = "| task | way | MACs | bytes | chosen epoch | lost | 95 % | s.e. | last epoch | lost |"
    lines = [head, "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for task, found in made.items():
        lines.append(f"| {task}, {found['cases']} cases | guessing | | | {100 * found['dummy']:.1f} | | | | | |")
        for way, row in found["ways"].items():
            best, last = row["best lost"], row["last lost"]
            shown = f"{100 * best['low']:+.2f} to {100 * best['high']:+.2f} | {100 * best['error']:.2f}"
            lines.append(
                f"| | {way} | {row['share']['macs']:.3f} | {row['share']['bytes']:.3f} | {100 * row['best']:.2f} | "
                f"{100 * best['mean']:+.2f} | {shown} | {100 * row['last']:.2f} | {100 * last['mean']:+.2f} |"
            )
    return "\n".join(lines)
