"""Accuracy of quantised networks: three tasks, five seeds, ten folds of one. A case is kept under ``build/`` as soon as
it is there, by the digest of the proof: what stops the proof costs one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from selvedge.artifact import files

from .quantise.experiment import BAR, case, summary
from .quantise.tasks import TASKS, absent
from .quantise.ways import RUN

SEEDS = range(5)
KEPT = Path(__file__).parents[1] / "build" / "prove_quantise"
AGREED = 0.99  # of the top answers with ONNX Runtime's, on a task's own test data
LOSES = 0.02  # of the answers, at least, where one scale a tensor fails
RESCUED, FAILS = "PTQ per tensor, unequal channels, equalised", "PTQ per tensor, unequal channels"


def prove(digest: str) -> dict[str, Any]:
    """The summary, as plain data. ``missed``: each way that loses more than its bar and two standard errors, each that
    ONNX Runtime answers otherwise, and a failure of one scale a tensor that equalising does not undo, or that there is
    not. ``open``: each that loses more than its bar, but by less than two standard errors.

    Raises ``AssertionError`` unless every float network is better than guessing by 30 points.
    """
    for task in TASKS:
        assert not absent(task), f"{absent(task)} is absent: set SELVEDGE_DATA"
    cases = [
        _kept(task, seed, fold, KEPT / digest[:16])
        for seed in SEEDS
        for task, (_, folds) in TASKS.items()
        for fold in range(folds)
    ]
    made, missed, open_ = summary(cases), [], []
    for task, found in made.items():
        ways = found["ways"]
        assert ways["float"]["best"] > found["dummy"] + 0.3, f"the networks of {task} are bad"
        for way, bar in BAR.items():
            lost = ways[way]["best lost"]
            if 100 * lost["mean"] > bar:
                beyond = 100 * (lost["mean"] - 2 * lost["error"]) > bar
                told = f"{task}: {way} loses {100 * lost['mean']:.2f} points, wanted at most {bar}"
                (missed if beyond else open_).append(told)
        for way in RUN:
            agreed = ways[way]["runtimes"]["onnxruntime"]["mean"]
            if agreed < AGREED:
                missed.append(f"{task}: {way} answers as ONNX Runtime does in {100 * agreed:.2f} %")
        if FAILS in ways:
            fails, left = (ways[way]["best lost"]["mean"] for way in (FAILS, RESCUED))
            assert fails > LOSES, (
                f"{task}: one scale a tensor loses {100 * fails:.2f} points: there is nothing to rescue"
            )
            if left > 0.1 * fails:
                missed.append(f"{task}: equalising leaves more than a tenth of what one scale a tensor loses")
    return {
        "seeds": len(SEEDS), "tasks": made, "missed": missed, "open": open_, "cases": [short(c) for c in cases],
        "about": {"seconds": round(sum(c["seconds"] for c in cases), 1)},
    }  # fmt: skip


def short(found: dict[str, Any]) -> dict[str, Any]:
    """What of a case is made again after a change: how many each way tells right at its chosen epoch."""
    about = {key: found[key] for key in ("task", "seed", "fold")}
    right = {row["way"]: row["best"].count("1") for row in found["rows"]}
    return {**about, "samples": found["samples"][2], "right": right}


def _kept(task: str, seed: int, fold: int, folder: Path) -> dict[str, Any]:
    file = folder / f"{task}-{seed}-{fold}.json"
    if not file.exists():
        found = case(task, seed, fold)
        folder.mkdir(parents=True, exist_ok=True)
        files.write(file, json.dumps(found).encode())
    made: dict[str, Any] = json.loads(file.read_text())
    return made
