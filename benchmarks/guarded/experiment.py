"""A case: one of the tasks with one seed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from benchmarks.live.habits import habits

from . import labels, rates, unlabelled

TASKS: Mapping[str, Callable[[int], list[dict[str, Any]]]] = {
    "labels": labels.rows,
    "unlabelled": unlabelled.rows,
    "streams": rates.streams,
    "people": rates.people,
}


def case(task: str, seed: int) -> dict[str, Any]:
    """Its rows; "seconds": of the processor."""
    torch.set_num_threads(1)
    start = time.process_time()
    rows = TASKS[task](seed)
    return {
        "task": task, "seed": seed, "fold": 0, "habits": habits("guarded"), "rows": rows,
        "seconds": round(time.process_time() - start, 1),
    }  # fmt: skip
