"""A case: the streams of one family with one seed, each through every way, judged by another process."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .evaluator import evaluator
from .streams import LENGTH, streams
from .ways import State, frozen, held, learner, naive, tent


def case(family: str, seed: int, length: int = LENGTH) -> dict[str, Any]:
    """Accuracies on the evaluator's digits before and after each stream; of a benign one also under its change."""
    torch.set_num_threads(1)
    begun, rows = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as folder:

        def asked(state: State, change: str = "", statistics: str = "kept") -> float:
            path = Path(folder) / "weights.npz"
            np.savez(path, allow_pickle=False, **state)
            return evaluator().accuracy(path, change, statistics)

        start = frozen(seed)
        before = {"kept": asked(start), "batch": asked(start, statistics="batch")}
        for stream in streams(family, seed, length):
            after, told = held(seed, stream)
            states = {"learner": after, "naive": naive(seed, stream), "tent": tent(seed, stream)}
            row: dict[str, Any] = {"stream": stream.name, "samples": len(stream.y), "told": told}
            row["clean"] = {way: asked(state) for way, state in states.items()}
            row["clean"]["tent, batch"] = asked(states["tent"], statistics="batch")
            if stream.change:
                row["changed"] = {w: asked(s, stream.change) for w, s in {"frozen": start, **states}.items()}
            rows.append(row)
    own = learner(seed)
    return {
        "task": family, "seed": seed, "fold": 0, "before": before, "rows": rows,
        "bytes": {"ram": dict(own.bytes.ram), "flash": dict(own.bytes.flash)},
        "seconds": round(time.perf_counter() - begun, 1),
    }  # fmt: skip
