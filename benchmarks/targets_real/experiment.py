"""A case is a network in a target: how often its top answer is ours, how often it is right, and each layer alone."""

from __future__ import annotations

import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

import selvedge as sv
from benchmarks.auto import sources
from selvedge.artifact.targets import TARGETS
from selvedge.errors import SelvedgeError, one_line

from .layers import stepwise
from .network import Real
from .published import FILES, ROOT, published
from .trained import NEEDS, trained
from .trained import TASKS as TRAINED

TASKS = (*TRAINED, *FILES)
FED = {**dict.fromkeys(TRAINED, 1), **dict.fromkeys(FILES, 4)}  # calls of which each layer is looked at


def absent(task: str) -> str | None:
    """The first folder that ``task`` needs and that is not there."""
    names = (NEEDS[task],) if task in NEEDS else (ROOT, FILES[task][1])
    return next((str(sources.FOLDER / name) for name in names if not (sources.FOLDER / name).is_dir()), None)


def case(task: str, target: str, samples: int | None = None, epochs: int | None = None) -> dict[str, Any]:
    """``failed``: the error of this run. Else "samples"; "same": of how many the top answer is that of our own code;
    "margin": of the others, by how many steps of int8 at most our answer led theirs; "right": of how many the answer
    is the label, by who tells it, where there are labels; "layers": see :func:`stepwise`.
    samples, epochs: instead of all, and of the training's own."""
    torch.set_num_threads(1)
    start = time.perf_counter()
    about = {
        "task": task, "target": target, "date": datetime.now(UTC).date().isoformat(),
        "packages": {p.name: p.installed for p in TARGETS[target].runs},
    }  # fmt: skip
    if task in TRAINED:
        real = trained(task, samples) if epochs is None else trained(task, samples, epochs)
    else:
        real = published(task)
    if task in FILES and samples:
        every = len(real.inputs) // samples
        labels = None if real.labels is None else real.labels[::every][:samples]
        real = Real(real.network, real.whole, real.inputs[::every][:samples], labels)
    with tempfile.TemporaryDirectory(prefix="selvedge-real-") as folder:
        try:
            made = _answers(real, target, Path(folder))
            fed = [real.whole.layout("x").store(x) for x in real.inputs[: FED[task]]]
            made["layers"] = stepwise(real.whole, fed, target, Path(folder))
        except (SelvedgeError, RuntimeError) as error:
            made = {"failed": one_line(str(error))[:300]}
    return {**about, **made, "load": round(os.getloadavg()[0], 1), "seconds": round(time.perf_counter() - start, 1)}


def _answers(real: Real, target: str, folder: Path) -> dict[str, Any]:
    plan = sv.plan_inference(real.network)
    ours, session = sv.compile(plan), sv.load(sv.emit(plan, target, folder / "whole"))
    own, other = (np.concatenate([s.predict(x) for x in real.inputs]).astype(int) for s in (ours, session))
    mine, theirs = own.argmax(1), other.argmax(1)
    rows = np.flatnonzero(mine != theirs)
    lead = own[rows, mine[rows]] - own[rows, theirs[rows]]
    made: dict[str, Any] = {
        "samples": len(mine),
        "same": len(mine) - len(rows),
        "margin": int(lead.max()) if len(rows) else 0,
        "apart": int(np.abs(own - other).max()),
    }
    if real.labels is not None:
        told = {"ours": mine, "theirs": theirs, **real.answers}
        made["right"] = {who: int((answers == real.labels).sum()) for who, answers in told.items()}
        if "simulated" in real.answers:
            made["as simulated"] = int((theirs == real.answers["simulated"]).sum())
    return made
