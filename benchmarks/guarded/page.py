"""The tables of all cases: printed, and between the markers of ``docs/guards.md``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.written import ROOT, tables

from .unlabelled import WAYS

DOCS = "docs/guards.md"
Cases = Sequence[Mapping[str, Any]]


def _rows(cases: Cases, task: str) -> list[Mapping[str, Any]]:
    own = [c for c in cases if c["task"] == task]
    if any(c["habits"] != own[0]["habits"] for c in own):
        raise ValueError(f"{task}: cases of several hyper-parameters: remove those of the old ones")
    return [{**row, "seed": c["seed"]} for c in own for row in c["rows"]]


def _spread(values: Sequence[float]) -> str:
    many = 100 * np.array(values)
    return f"{many.mean():.1f}" + (f" ± {many.std(ddof=1):.1f}" if len(many) > 1 else "")


def labels(cases: Cases) -> str:
    rows = _rows(cases, "labels")
    lines = [
        "| camera | labels wrong | refused of the wrong | of the right | wrong among those learnt | "
        "naive, guarded | naive | learner, guarded | learner |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for camera in dict.fromkeys(r["camera"] for r in rows):
        for percent in dict.fromkeys(r["percent"] for r in rows):
            own = [r for r in rows if r["camera"] == camera and r["percent"] == percent]
            wrong = sum(r["wrong"] for r in own)
            hit = sum(r["refused wrong"] for r in own)
            right = sum(r["labels"] for r in own) - wrong
            false = sum(r["refused"] for r in own) - hit
            left = (wrong - hit) / (wrong - hit + right - false)
            lines.append(
                f"| {camera or 'as it began'} | {percent} % | {f'{100 * hit / wrong:.1f} %' if wrong else ''} | "
                f"{100 * false / right:.1f} % | {100 * left:.1f} % | "
                + " | ".join(
                    _spread([r[key] for r in own])
                    for key in ("guarded naive", "plain naive", "guarded changed", "plain changed")
                )
                + " |"
            )
    return "\n".join(lines)


def unlabelled(cases: Cases) -> str:
    rows = _rows(cases, "unlabelled")
    lines = [
        "| learns | objective | stream | frozen | statistics alone | plain | guarded | with labels | "
        "plain: where it began | guarded | taken back |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for part in dict.fromkeys(r["part"] for r in rows):
        for objective in dict.fromkeys(r["objective"] for r in rows):
            for stream in dict.fromkeys(r["stream"] for r in rows):
                own = [r for r in rows if (r["part"], r["objective"], r["stream"]) == (part, objective, stream)]
                told = [
                    _spread([r[key] for r in own])
                    for key in (*(f"{way} changed" for way in WAYS), "plain began", "guarded began")
                ]
                back = sum(bool(r["why"]) for r in own)
                lines.append(
                    f"| {part} | {objective} | {stream or 'as it began'} | "
                    + " | ".join(told)
                    + f" | {back} of {len(own)} |"
                )
    return "\n".join(lines)


def rates(cases: Cases) -> str:
    rows = _rows(cases, "streams") + _rows(cases, "people")
    names = list(rows[0]["right"])
    lines = [
        "| task | " + " | ".join(names) + " | best fixed rate of each case |",
        "|---|" + "---:|" * (len(names) + 1),
    ]
    for task in [*dict.fromkeys(r["task"] for r in rows), "all"]:
        own = [r for r in rows if task in (r["task"], "all")]
        found = [_spread([r["right"][name] for r in own]) for name in names]
        best = _spread([max(v for n, v in r["right"].items() if n != "auto") for r in own])
        lines.append(f"| {task}: {len(own)} cases | " + " | ".join(found) + f" | {best} |")
    return "\n".join(lines)


TABLES: Mapping[str, tuple[Callable[[Cases], str], tuple[str, ...]]] = {
    "guarded_labels": (labels, ("labels",)),
    "guarded_unlabelled": (unlabelled, ("unlabelled",)),
    "guarded_rates": (rates, ("streams", "people")),
}


def made(cases: Cases) -> dict[str, str]:
    """Marker -> table, of those tasks of which there are cases."""
    there = {c["task"] for c in cases}
    return {name: make(cases) for name, (make, needs) in TABLES.items() if there.issuperset(needs)}


def table(cases: Cases) -> str:
    return "\n\n".join(made(cases).values())


def write(folder: Path) -> None:
    """All that lies in ``folder``, into the page."""
    tables(ROOT / DOCS, made([json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]))
