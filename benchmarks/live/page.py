"""The table of all cases, for people: printed, and between the markers of ``docs/personal.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.written import ROOT, tables

from .experiment import summary

DOCS = "docs/personal.md"


def table(cases: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "| recipe | way | mean | over seeds | worst person | most tests lost to frozen | with transitions | RAM | "
        "others lose |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, found in summary(cases).items():
        told = f"{name}: {found['people']} people, {_several(found['seeds'], 'seed')}"
        for way, row in found["ways"].items():
            spread = "" if row["spread"] is None else f"± {100 * row['spread']:.2f}"
            ram = f"{row['arena'] + row.get('memory', 0):,} B" if "arena" in row else ""
            others = f"{100 * row['others']:.1f}" if "others" in row else ""
            lost = "" if way in ("dummy", "frozen") else f"{row['lost']}"
            every = "" if name == "speech" else f"{100 * row['all']:.2f}"
            lines.append(
                f"| {told} | {way} | {100 * row['mean']:.2f} | {spread} | {100 * row['worst']:.2f} | {lost} | "
                f"{every} | {ram} | {others} |"
            )
            told = ""
    return "\n".join(lines)


def write(folder: Path) -> None:
    """All that lies in ``folder``, into the page."""
    cases = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    tables(ROOT / DOCS, {"personal": table(cases)})


def _several(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
