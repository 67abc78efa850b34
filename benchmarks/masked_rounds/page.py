"""The table and what it comes to: printed, and into ``docs/secure.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..written import ROOT, tables
from .experiment import PLAIN, TASKS, WAYS, Case, summary

DOCS = "docs/secure.md"
WANTED, MOST_LOST = 14.0, 0.01  # times fewer bytes, at most so much less right


def table(cases: Sequence[Case]) -> str:
    lines = [
        "| task | way | right at the end | beside FedAvg | B an answer | keys, shares | values | consent, unmasking "
        "| heads | fewer | of the values alone |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    found = summary(cases)
    for task, ways in found.items():
        for way, row in ways.items():
            named = f"{task}, {row['size']:,} parameters" if way == PLAIN else ""
            seeds = f"{way} ({row['seeds']} seed{'' if row['seeds'] == 1 else 's'})"
            stages = row["stages"]
            if way == PLAIN:
                spent = f"{row['up']:,.0f} | | | | | {row['fewer']:.2f} |"
            else:
                spent = (
                    f"{row['up']:,.0f} | {stages['keys'] + stages['shares']:,.0f} | {stages['input']:,.0f} | "
                    f"{stages['consent'] + stages['unmask']:,.0f} | {stages['heads']:,.0f} | {row['fewer']:.1f} | "
                    f"{row['values']:.1f}"
                )
            lines.append(f"| {named} | {seeds} | {100 * row['last']:.1f} | {_apart(row)} | {spent} |")
    return "\n".join(lines) + "\n\n" + "\n".join(f"- {line}" for line in verdicts(found))


def _apart(row: Mapping[str, Any]) -> str:
    """Points, and the standard error over seeds."""
    apart = 100 * np.array(row["apart"])
    if not len(apart):
        return ""
    mean = f"{round(float(apart.mean()), 1) + 0.0:+.1f}"
    return mean if len(apart) == 1 or not apart.any() else f"{mean} ± {apart.std(ddof=1) / len(apart) ** 0.5:.1f}"


def verdicts(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """Of each task and masked way, whether every byte together is fewer by as much as was wanted, and as right."""
    lines = []
    for task, ways in found.items():
        for way, row in ways.items():
            if way == PLAIN or not row["apart"]:
                continue
            lost = -float(np.mean(row["apart"]))
            bytes_ = (
                f"{row['fewer']:.1f} times fewer bytes, all counted, of {WANTED:g} ({_met(row['fewer'] >= WANTED)})"
            )
            less = round(100 * lost, 1) + 0.0
            points = f"{less:.1f} points less right, of {100 * MOST_LOST:g} ({_met(lost <= MOST_LOST)})"
            lines.append(f"{task}, {way}: {bytes_}; {points}; {_from(row)}")
    return lines


def _met(is_met: bool) -> str:
    return "met" if is_met else "not met"


def _from(row: Mapping[str, Any]) -> str:
    """From how many parameters on these keys, shares and heads leave so many times fewer bytes."""
    each = row["bits"] / 8
    if each >= 4 / WANTED:
        return f"{WANTED:g} times are of no model"
    size = (row["up"] - each * row["size"]) / (4 / WANTED - each)
    return f"{WANTED:g} times are of models from {size:,.0f} parameters on"


def read(folder: Path) -> list[dict[str, Any]]:
    """Every case that is kept, in order."""
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return sorted(found, key=lambda c: (list(TASKS).index(c["task"]), list(WAYS).index(c["way"]), c["seed"]))


def write(folder: Path) -> None:
    tables(ROOT / DOCS, {"masked-rounds": table(read(folder))})
