"""A case is a task, a seed and a fold; a summary is of all cases; a table is for people."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.answers import difference, kept, right

from .runtimes import BATCH
from .tasks import TASKS
from .ways import ways

FLOAT = "float"
KINDS = ("best", "last")
BAR = {"PTQ minmax": 0.5, "PTQ mse": 0.5, "QAT int8": 0.2, "QAT w4a8": 1.5}  # points that may be lost


def case(name: str, seed: int, fold: int, epochs: int | None = None) -> dict[str, Any]:
    """Every way on one task, as plain data; "best", "last": a character a test sample, 1 where it was told right."""
    torch.set_num_threads(1)
    start = time.perf_counter()
    task = TASKS[name][0](seed, fold)
    if epochs is not None:
        task = replace(task, epochs=epochs)
    rows = [
        {
            "way": found.way, "epoch": found.epoch, "ratio": found.ratio, "runtimes": dict(found.runtimes),
            **{kind: "".join("01"[int(r)] for r in getattr(found, kind)) for kind in KINDS},
        }
        for found in ways(task, seed)
    ]  # fmt: skip
    dummy = float((task.test[1] == np.bincount(task.train[1]).argmax()).mean())
    samples = [len(part[1]) for part in (task.train, task.validation, task.test)]
    seconds = time.perf_counter() - start
    return {
        "task": name,
        "seed": seed,
        "fold": fold,
        "samples": samples,
        "dummy": dummy,
        "rows": rows,
        "seconds": seconds,
    }


def summary(cases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Task -> way -> accuracy, and points lost to float with their central 95 % interval and standard error."""
    made: dict[str, Any] = {}
    for task in dict.fromkeys(c["task"] for c in cases):
        own = [c for c in cases if c["task"] == task]
        seeds = sorted({c["seed"] for c in own})
        names = [r["way"] for r in own[0]["rows"]]
        made[task] = {
            "cases": len(own),
            "seeds": len(seeds),
            "dummy": float(np.mean([c["dummy"] for c in own])),
            "ways": {},
        }
        for way in names:
            row: dict[str, Any] = {"ratio": float(np.mean([kept(c, way)["ratio"] for c in own]))}
            # The native code takes whole batches.
            told = [(kept(c, way)["runtimes"], c["samples"][2] // BATCH * BATCH) for c in own]
            row["runtimes"] = {
                key: {
                    "mean": float(np.average([r[key] for r, _ in told], weights=[n for _, n in told])),
                    "least": min(r[key] for r, _ in told),
                    "most": max(r[key] for r, _ in told),
                }
                for key in told[0][0]
            }
            for kind in KINDS:
                row[kind] = float(np.mean([right(c, way, kind).mean() for c in own]))
                row[f"{kind} lost"] = difference(own, FLOAT, way, kind)
            made[task]["ways"][way] = row
    return made


def table(made: dict[str, Any]) -> str:
    """Markdown, in per cent and points; a bar is met where what is lost is at most it, or within two standard errors of
    it, which is then said."""
    head = "| task | way | size | chosen epoch | lost | 95 % | 2 s.e. | bar | last epoch | lost |"
    lines = [head, "|---|---|---:|---:|---:|---:|---:|---|---:|---:|"]
    for task, found in made.items():
        lines.append(f"| {task}, {found['cases']} cases | guessing | | {100 * found['dummy']:.1f} | | | | | | |")
        for way, row in found["ways"].items():
            best, last = row["best lost"], row["last lost"]
            points, error = 100 * best["mean"], 200 * best["error"]
            bar = BAR.get(way)
            said = (
                ""
                if bar is None
                else f"≤ {bar}: " + ("met" if points <= bar else "open" if points - error <= bar else "missed")
            )
            # A network quantised after training has one epoch: the one chosen for float.
            end = "| " if way.startswith("PTQ") else f"{100 * row['last']:.2f} | {100 * last['mean']:+.2f}"
            shown = f"{points:+.2f} | {100 * best['low']:+.2f} to {100 * best['high']:+.2f} | {error:.2f}"
            lines.append(f"| | {way} | {row['ratio']:.3f} | {100 * row['best']:.2f} | {shown} | {said} | {end} |")
    return "\n".join([*lines, "", *_runtimes(made)])


def _runtimes(made: dict[str, Any]) -> list[str]:
    head = "| task | way | as ONNX Runtime | least | as simulated | least | .onnx | .tflite |"
    lines = [head, "|---|---|---:|---:|---:|---:|---:|---:|"]
    for task, found in made.items():
        for way, row in found["ways"].items():
            if told := row["runtimes"]:
                kinds = [told[key] for key in ("onnxruntime", "simulation")]
                shares = [f"{100 * kind[which]:.2f}" for kind in kinds for which in ("mean", "least")]
                files = [f"{told[key]['most']:.3f}" for key in ("onnx", "tflite")]
                lines.append(f"| {task} | {way} | {' | '.join((*shares, *files))} |")
    return lines
