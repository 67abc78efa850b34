"""The tables of all cases: printed, and into ``docs/targets.md``."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.written import ROOT, tables
from selvedge.artifact.targets import TARGETS

from .work import KINDS, MODELS

DOCS, MARK = "docs/targets.md", "targets"
OWN, NOT_RUN = "c", "·"
Case = Mapping[str, Any]


def table(cases: Sequence[Case]) -> str:
    """Time, then memory, then the errors and where it was measured."""
    notes: dict[str, int] = {}
    head = [f"| model | target | {' | '.join(KINDS)} |", "|---|---|---:|---:|---:|"]
    parts = [*head, *_rows(cases, _time, notes), "", *head, *_rows(cases, _memory, notes), ""]
    parts += [f"{number}. failed: {_short(note)}" for note, number in notes.items()]
    return "\n".join([*parts, *([""] if notes else []), _about(cases)]) if cases else "nothing was measured"


def _rows(cases: Sequence[Case], said: Callable[[Case], str], notes: dict[str, int]) -> list[str]:
    found = {(c["model"], c["target"], c["kind"]): c for c in cases}

    def cell(model: str, target: str, kind: str) -> str:
        case = found.get((model, target, kind))
        if case is None:
            return NOT_RUN
        if "failed" in case:
            return f"failed [{notes.setdefault(case['failed'], len(notes) + 1)}]"
        return said(case)

    return [
        f"| `{model}` | {target} | {' | '.join(cell(model, target, kind) for kind in KINDS)} |"
        for model in dict.fromkeys(c["model"] for c in cases)
        for target in TARGETS
        if any((model, target, kind) in found for kind in KINDS)
    ]


def _time(case: Case) -> str:
    """Of ours milliseconds and quartiles; of another milliseconds, and how many times ours it took."""
    made = case["ours" if case["target"] == OWN else "theirs"]
    if case["target"] == OWN:
        return f"{_ms(made['median'])} ms ({_ms(made['low'])}-{_ms(made['high'])})"
    times = case["times"]
    return f"{_ms(made['median'])} ms, **{_times(times['median'])}** ({_times(times['low'])}-{_times(times['high'])})"


def _memory(case: Case) -> str:
    """KiB: the arena, or ``-`` where none is told; the process; the files."""
    memory = case["memory"]
    arena = _kib(memory["arena"]) if "arena" in memory else "-"
    return f"{arena} / {_kib(memory['model'])} / {_kib(memory['disk'])}"


def _about(cases: Sequence[Case]) -> str:
    ran = [c for c in cases if "failed" not in c]
    if not ran:
        return "Nothing ran."
    own: dict[str, list[int]] = {}
    for case in ran:
        own.setdefault(case["target"], []).append(case["memory"]["runtime"])
    grown = ", ".join(f"{t} {statistics.median(own[t]) / 2**20:.1f}" for t in TARGETS if t in own)
    ratios: dict[str, list[float]] = {}
    for case in ran:
        if "times" in case:
            ratios.setdefault(case["target"], []).append(case["times"]["median"])
    means = ", ".join(f"{t} {_times(statistics.geometric_mean(ratios[t]))}" for t in TARGETS if t in ratios)
    loads, packages = [c["load"] for c in ran], {}
    for case in ran:
        packages.update(case["packages"])
    return "\n\n".join(
        [
            f"Geometric mean over all that ran, of the times that ours took: {means}.",
            f"What a process grows by for the runtime alone, median in MiB: {grown}.",
            f"{len(ran)} of {len(cases)} ran; {min(c['date'] for c in ran)} to {max(c['date'] for c in ran)}, "
            f"{', '.join(sorted({c['cpu'] for c in ran}))}, {', '.join(f'{n} {v}' for n, v in packages.items())}. The "
            f"machine was not quiet: two cores, and a load of {min(loads):g} to {max(loads):g}.",
        ]
    )


def read(folder: Path) -> list[dict[str, Any]]:
    """Every case that is kept, model by model."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    return sorted(found, key=lambda case: MODELS.index(case["model"]))


def write(folder: Path) -> None:
    """All that lies in ``folder``, into the page."""
    tables(ROOT / DOCS, {MARK: table(read(folder))})


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g}"


def _times(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.3g}"


def _kib(size: int) -> str:
    return f"{size / 1024:,.0f}"


def _short(note: str) -> str:
    return re.sub(r"(?:/[\w.+-]+)+/", "", note).replace("|", "\\|")  # of a path, its file
