"""What ``update="auto"`` is worth: four transfers, five seeds, at equal bytes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from .auto.experiment import case, summary
from .auto.sources import absent
from .auto.tasks import TASKS

SEEDS = range(5)


def prove() -> dict[str, Any]:
    """The summary of every case, as plain data.

    Raises ``AssertionError`` unless auto is better than last-K on average, at the best epoch and at the last, with the
    95 % interval above zero, and on no task worse with the interval below it.
    """
    missing = [folder for task in TASKS if (folder := absent(task))]
    assert not missing, f"{missing[0]} is absent: set SELVEDGE_DATA"
    with tempfile.TemporaryDirectory(prefix="selvedge-auto-") as folder:
        made = summary([case(task, seed, Path(folder)) for task in TASKS for seed in SEEDS])
    for kind in ("best", "last"):
        label = next(name for name in made["difference"] if name.startswith(kind))
        for name, d in made["difference"][label].items():
            if name == "average":
                assert d["low"] > 0, f"{label}: on average {d['mean']:+.1%}, 95 % from {d['low']:+.1%}"
            assert d["high"] >= 0, f"{label}: worse on {name}, {d['mean']:+.1%} to at most {d['high']:+.1%}"
    return made
