"""One case is a task and a seed; a summary is of all cases; a table is for people."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .policies import EPOCHS, learn, plans
from .statistics import paired
from .tasks import TASKS, Task

AUTO, AGAINST = "auto", "last-K"
KINDS = ("best", "last")


def case(name: str, seed: int, weights: Path, epochs: int = EPOCHS) -> dict[str, Any]:
    """Every policy on one task, as plain data; "right": a character a test sample, 1 where it was told right."""
    torch.set_num_threads(1)
    start = time.perf_counter()
    task = TASKS[name](seed, weights)
    rows = []
    for policy, share, plan in plans(task, seed):
        found = learn(plan, task, seed, epochs)
        rows.append(
            {
                "policy": policy,
                "share": share,
                "updated": list(found.updated),
                "arena": found.arena,
                "budget": plan.budget.ram if share else None,
                "rate": found.rate,
                "validation": found.validation,
                **{kind: _written(getattr(found, kind)) for kind in KINDS},
            }
        )
    return {
        "task": name,
        "seed": seed,
        "samples": [len(part[1]) for part in (task.train, task.validation, task.test)],
        "dummy": _dummy(task),
        "frozen": _frozen(task),
        "rows": rows,
        "seconds": time.perf_counter() - start,
    }


def summary(cases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Accuracies (mean and standard deviation over seeds) and the differences with their intervals."""
    tasks = list(dict.fromkeys(c["task"] for c in cases))
    made: dict[str, Any] = {"tasks": {}, "seeds": len({c["seed"] for c in cases}), "difference": {}}
    for task in tasks:
        own = [c for c in cases if c["task"] == task]
        policies: dict[str, Any] = {}
        for row in own[0]["rows"]:
            same = [_row(c, row["policy"], row["share"]) for c in own]
            policies[f"{row['policy']} {row['share']:.0%}" if row["share"] else row["policy"]] = {
                "arena": int(np.mean([r["arena"] for r in same])),
                **{k: _spread([_read(r[k]).mean() for r in same]) for k in KINDS},
            }
        made["tasks"][task] = {
            "samples": own[0]["samples"],
            "dummy": round(float(np.mean([c["dummy"] for c in own])), 4),
            "frozen": _spread([c["frozen"] for c in own]),
            "policies": policies,
        }
    shares = sorted({r["share"] for c in cases for r in c["rows"] if r["policy"] == AUTO})
    for kind in KINDS:
        for chosen in (shares, *([s] for s in shares)):
            parts = {t: [_difference(c, chosen, kind) for c in cases if c["task"] == t] for t in tasks}
            each, whole = paired(parts)
            label = f"{kind}, {' and '.join(f'{s:.0%}' for s in chosen)}"
            made["difference"][label] = {
                name: {"mean": round(d.mean, 4), "low": round(d.low, 4), "high": round(d.high, 4)}
                for name, d in {**each, "average": whole}.items()
            }
    return made


def table(made: dict[str, Any]) -> str:
    """Markdown: test accuracies in per cent, then auto less last-K in points."""
    lines = ["| task | policy | arena | best epoch | last epoch |", "|---|---|---:|---:|---:|"]
    for task, found in made["tasks"].items():
        lines.append(f"| {task} | guessing | | {100 * found['dummy']:.1f} | |")
        lines.append(f"| | as it came | | {_percent(found['frozen'])} | |")
        for name, p in found["policies"].items():
            lines.append(f"| | {name} | {p['arena']:,} | {_percent(p['best'])} | {_percent(p['last'])} |")
    lines += ["", "| auto less last-K | task | points | 95 % |", "|---|---|---:|---:|"]
    for label, each in made["difference"].items():
        for name, d in each.items():
            low, high = 100 * d["low"], 100 * d["high"]
            lines.append(f"| {label} | {name} | {100 * d['mean']:+.1f} | {low:+.1f} to {high:+.1f} |")
    return "\n".join(lines)


def _percent(spread: Sequence[float]) -> str:
    return f"{100 * spread[0]:.1f} ± {100 * spread[1]:.1f}"


def _spread(values: Sequence[float]) -> list[float]:
    return [round(float(np.mean(values)), 4), round(float(np.std(values, ddof=1)) if len(values) > 1 else 0.0, 4)]


def _row(found: dict[str, Any], policy: str, share: float) -> dict[str, Any]:
    row: dict[str, Any] = next(r for r in found["rows"] if (r["policy"], r["share"]) == (policy, share))
    return row


def _difference(found: dict[str, Any], shares: Sequence[float], kind: str) -> np.ndarray:
    """Of each test sample: auto less last-K, on average over budgets."""
    parts = [_read(_row(found, AUTO, s)[kind]) - _read(_row(found, AGAINST, s)[kind]) for s in shares]
    return np.asarray(np.mean(parts, axis=0))


def _written(right: np.ndarray) -> str:
    return "".join("01"[int(r)] for r in right)


def _read(text: str) -> np.ndarray:
    return np.array([c == "1" for c in text], np.float64)


def _dummy(task: Task) -> float:
    """The training data's most frequent class."""
    return float((task.test[1] == np.bincount(task.train[1]).argmax()).mean())


def _frozen(task: Task) -> float:
    with torch.no_grad():
        found = task.model(torch.from_numpy(np.ascontiguousarray(task.test[0]))).argmax(1).numpy()
    return float((found == task.test[1]).mean())
