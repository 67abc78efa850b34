"""What ``update="auto"`` is worth: four transfers, five seeds, at equal bytes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from .auto.experiment import KINDS, case, summary
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
        cases = [case(task, seed, Path(folder)) for task in TASKS for seed in SEEDS]
    made = {**summary(cases), "cases": [short(one) for one in cases]}
    for kind in ("best", "last"):
        label = next(name for name in made["difference"] if name.startswith(kind))
        for name, d in made["difference"][label].items():
            if name == "average":
                assert d["low"] > 0, f"{label}: on average {d['mean']:+.1%}, 95 % from {d['low']:+.1%}"
            assert d["high"] >= 0, f"{label}: worse on {name}, {d['mean']:+.1%} to at most {d['high']:+.1%}"
    return made


def short(one: dict[str, Any]) -> dict[str, Any]:
    """What of a case is worth keeping: what each policy updates, in what arena, and how often it was right."""
    policies = {
        f"{row['policy']} {row['share']:.0%}" if row["share"] else row["policy"]: {
            "updated": row["updated"],
            "arena": row["arena"],
            **{kind: round(row[kind].count("1") / len(row[kind]), 4) for kind in KINDS},
        }
        for row in one["rows"]
    }
    return {"task": one["task"], "seed": one["seed"], "policies": policies}
