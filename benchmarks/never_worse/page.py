"""The table of all cases, for people: printed, and between markers of ``docs/live.md``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.written import ROOT, tables

from .streams import FAMILIES

DOCS = "docs/live.md"
NAME = "never_worse"
WAYS = {"learner": "kept", "naive": "kept", "tent": "kept", "tent, batch": "batch"}
TENS = 0.1  # "tens of points"
Cases = Sequence[Mapping[str, Any]]
Row = Mapping[str, Any]


def lost(cases: Cases, way: str, benign: bool | None = False) -> Iterator[tuple[str, str, float]]:
    """Family, stream and accuracy lost on the clean samples, of every stream that is meant to do harm; of those that
    are not; or of all. What Tent loses under a batch's statistics is against the start under such ones."""
    for case in cases:
        for row in case["rows"]:
            if benign is None or benign == ("changed" in row):
                yield case["task"], row["stream"], case["before"][WAYS[way]] - row["clean"][way]


def summary(cases: Cases, way: str) -> dict[str, float]:
    """Over the harmful streams: how many, how many lost at most a point, at most three, and ten or more; the worst."""
    each = np.array([x for _, _, x in lost(cases, way)])
    rounded = each.round(9)  # 0.01 of 3,000 samples is 30 of them, whatever the subtraction leaves
    return {
        "streams": len(each), "one": int((rounded <= 0.01).sum()), "three": int((rounded <= 0.03).sum()),
        "tens": int((rounded >= TENS).sum()), "worst": float(each.max()), "mean": float(each.mean()),
    }  # fmt: skip


def table(cases: Cases) -> str:
    return "\n\n".join(part for part in (_held(cases), _each(cases), _gained(cases), _told(cases)) if part)


def _held(cases: Cases) -> str:
    lines = [
        "| on streams that would make it worse | streams | ≤ 1 point lost | ≤ 3 points | ≥ 10 points | worst | mean |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    if not any(True for _ in lost(cases, "learner")):
        return ""
    for way in WAYS:
        s = summary(cases, way)
        lines.append(
            f"| {_called(way)} | {s['streams']} | {s['one']} | {s['three']} | {s['tens']} | {100 * s['worst']:.2f} | "
            f"{100 * s['mean']:+.2f} |"
        )
    return "\n".join(lines)


def _each(cases: Cases) -> str:
    """Points lost, stream by stream: mean over the seeds, and the worst."""
    names = dict.fromkeys((family, stream) for family, stream, _ in lost(cases, "learner", None))
    lines = [
        f"| points lost where it began: mean, worst | {' | '.join(map(_called, WAYS))} |",
        "|---|" + "---:|" * len(WAYS),
    ]
    for family, stream in names:
        cells = []
        for way in WAYS:
            found = [100 * x for f, s, x in lost(cases, way, None) if (f, s) == (family, stream)]
            cells.append(f"{np.mean(found):+.2f}, {max(found):+.2f}")
        lines.append(f"| {family}: {stream} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _gained(cases: Cases) -> str:
    """Accuracy under the change, of streams that bring it with right labels."""
    rows = [row for case in cases for row in case["rows"] if "changed" in row]
    if not rows:
        return ""
    ways = ("frozen", "learner", "naive", "tent")
    lines = [
        f"| under a changed camera, % right | {' | '.join(map(_called, ways))} | learner gained: mean, least |",
        "|---|" + "---:|" * (len(ways) + 1),
    ]
    for name in [*dict.fromkeys(row["stream"] for row in rows), "all"]:
        own = [row["changed"] for row in rows if name in (row["stream"], "all")]
        gained = [100 * (row["learner"] - row["frozen"]) for row in own]
        shown = [f"{100 * np.mean([row[way] for row in own]):.1f}" for way in ways]
        lines.append(f"| {name} | {' | '.join(shown)} | {np.mean(gained):+.1f}, {min(gained):+.1f} |")
    return "\n".join(lines)


def _told(cases: Cases) -> str:
    sizes = cases[0]["bytes"]
    rows = [row["told"] for case in cases for row in case["rows"]]
    starts = {case["seed"]: case["before"]["kept"] for case in cases}
    ram, flash = (", ".join(f"{name} {size:,} B" for name, size in sizes[part].items()) for part in ("ram", "flash"))
    lengths = sorted({row["samples"] for case in cases for row in case["rows"]})
    return (
        f"{len(rows)} streams of {_several(lengths)} samples, {len(starts)} starting models of "
        f"{100 * min(starts.values()):.1f} to {100 * max(starts.values()):.1f} %, judged by 3,000 digits; "
        f"{sum(row['commits'] for row in rows)} commits. The learner's RAM: {ram}. Flash: {flash}."
    )


def _several(numbers: Iterable[int]) -> str:
    return " or ".join(map(str, numbers))


def _called(way: str) -> str:
    return {
        "frozen": "frozen", "learner": "Selvedge's learner", "naive": "naive fine-tuning", "tent": "Tent",
        "tent, batch": "Tent, statistics of the batch",
    }[way]  # fmt: skip


def read(folder: Path) -> list[dict[str, Any]]:
    """Every case that is kept, in order."""
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return sorted(found, key=lambda c: (list(FAMILIES).index(c["task"]), c["seed"]))


def write(folder: Path, root: Path = ROOT) -> None:
    """The table of all cases of ``folder`` into the page."""
    tables(root / DOCS, {NAME: table(read(folder))})
