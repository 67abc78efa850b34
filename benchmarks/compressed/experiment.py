"""A case is a task, a seed and a fold; a summary is of all cases; what is wanted of it is judged."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.answers import kept, right

from .paired import difference
from .tasks import TASKS
from .ways import PARTS, TOGETHER, settings, ways

WHOLE = "unpruned"
KINDS = ("best", "last")
PAIRS = ("QAT + teacher", f"{TOGETHER}, int8", f"{TOGETHER}, QAT, no teacher")
ALL = f"{TOGETHER}, QAT + teacher"
ALONE, TAUGHT, ITSELF = "student alone", "student taught", "taught by itself"
BARS = {"-50 %": 1.0, "-50 %, int8": 1.0, "-60 %, int8": 1.5}  # points that may be lost to the unpruned float network


def case(name: str, part: str, seed: int, fold: int, epochs: int | None = None) -> dict[str, Any]:
    """Every way of a part on one task, as plain data; "best", "last": a bit a test sample, 1 where it was right, in
    base64.

    epochs: of each stage, and of students, instead of the task's own. "seconds": of the processor.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        return _case(name, part, seed, fold, epochs)
    finally:
        torch.set_flush_denormal(False)  # it holds for the whole thread: nobody else's numbers are to be flushed


def _case(name: str, part: str, seed: int, fold: int, epochs: int | None) -> dict[str, Any]:
    start = time.process_time()
    task = TASKS[name].task(name, seed, fold)
    if epochs is not None:
        task = replace(task, epochs=(epochs,) * 3, student=epochs, few=replace(task.few, epochs=(epochs,) * 2))
    rows = [
        {
            "way": found.way, "epoch": found.epoch, "share": {k: round(v, 4) for k, v in found.share.items()},
            **{kind: packed(getattr(found, kind)) for kind in KINDS},
        }
        for found in ways(task, part, seed)
    ]  # fmt: skip
    common = int(torch.bincount(task.train[1]).argmax())
    return {
        "task": name, "part": part, "seed": seed, "fold": fold, "settings": settings(task, part),
        "samples": [len(part[1]) for part in (task.train, task.validation, task.test)],
        "dummy": float((task.test[1] == common).double().mean()), "rows": rows,
        "seconds": round(time.process_time() - start, 1),
    }  # fmt: skip


def packed(answers: np.ndarray) -> str:
    """bool [n] as base64."""
    return base64.b64encode(np.packbits(answers).tobytes()).decode()


def unpacked(case: Mapping[str, Any]) -> dict[str, Any]:
    """The case with its answers as :mod:`benchmarks.answers` reads them: a character a test sample."""
    count = case["samples"][2]

    def text(said: str) -> str:
        return "".join(map(str, np.unpackbits(np.frombuffer(base64.b64decode(said), np.uint8), count=count)))

    return {**case, "rows": [{**r, **{kind: text(r[kind]) for kind in KINDS}} for r in case["rows"]]}


def summary(cases: Sequence[Mapping[str, Any]], part: str) -> dict[str, Any]:
    """Task -> way -> accuracy and what is left of the network; of the part "cut" also what is lost to the unpruned
    float network, and what all three have over each pair ("together"); of "student" and "few" what a teacher brings
    ("taught"), of "few" also what of it is not owed to the unlabelled samples alone ("of the teacher"). Raises
    ``ValueError`` for cases of one task with several settings."""
    made: dict[str, Any] = {}
    for task in TASKS:
        own = [unpacked(c) for c in cases if (c["task"], c["part"]) == (task, part)]
        if not own:
            continue
        if any(c["settings"] != own[0]["settings"] for c in own):
            raise ValueError(f"{task}: cases of several settings: remove those of the old ones")
        found: dict[str, Any] = {
            "cases": len(own), "seeds": len({c["seed"] for c in own}), "tests": sum(c["samples"][2] for c in own),
            "dummy": float(np.mean([c["dummy"] for c in own])), "epochs": own[0]["settings"]["epochs"], "ways": {},
            "minutes": float(np.mean([c["seconds"] for c in own])) / 60,
        }  # fmt: skip
        for way in PARTS[part]:
            shares = [kept(c, way)["share"] for c in own]
            row: dict[str, Any] = {k: float(np.mean([s[k] for s in shares])) for k in shares[0]}
            for kind in KINDS:
                row[kind] = float(np.mean(np.concatenate([right(c, way, kind) for c in own])))
                if part == "cut":
                    row[f"{kind} lost"] = difference(own, WHOLE, way, kind)
            found["ways"][way] = row
        if part == "cut":
            found["together"] = {pair: {kind: difference(own, ALL, pair, kind) for kind in KINDS} for pair in PAIRS}
        else:
            found["taught"] = {kind: difference(own, TAUGHT, ALONE, kind) for kind in KINDS}
        if part == "few":
            found["of the teacher"] = {kind: difference(own, TAUGHT, ITSELF, kind) for kind in KINDS}
        made[task] = found
    return made


def judged_bar(lost: Mapping[str, float], bar: float) -> str:
    """Of points that may be lost: "met" or "missed" beyond two standard errors, else "open"."""
    points, error = 100 * lost["mean"], 200 * lost["error"]
    return "met" if points + error <= bar else "missed" if points - error > bar else "open"


def judged(gained: Mapping[str, float]) -> str:
    """Of a difference: "better" or "worse" beyond two standard errors, else "open"."""
    points, error = gained["mean"], 2 * gained["error"]
    return "better" if points > error else "worse" if points < -error else "open"


def best_pair(found: Mapping[str, Any], kind: str, among: Sequence[str] = PAIRS) -> str:
    """The pair that tells most test samples right."""
    return max(among, key=lambda pair: found["ways"][pair][kind])
