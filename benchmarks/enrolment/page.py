"""The table of all cases, for people: printed, and between the markers of ``docs/enrolment.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.written import ROOT, tables

from .experiment import summary

DOCS, NAME = "docs/enrolment.md", "enrolment"
NAMES = {
    "frozen": "frozen", "enrolled": "`enrol`", "naive": "naive fine-tuning", "prototypes": "nearest prototype",
    "retrained": "retrained of all",
}  # fmt: skip
Cases = Sequence[Mapping[str, Any]]


def table(cases: Cases) -> str:
    """By kind: how often, how well, at what cost; and what the enrolments take."""
    made = summary(cases)
    lines = [
        "| new | way | accepted | new one told, % | over seeds | of accepted | least | others lose: mean | most | "
        "by more than a point |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, found in made.items():
        told = f"{name}, beside {found['known']} ({100 * found['frozen']:.1f} %)"
        for way, r in found["ways"].items():
            own = way == "enrolled"
            accepted = f"{found['accepted']} of {found['cases']}" if own else ""
            kept = f"{100 * found['kept']:.1f}" if own and found["kept"] is not None else ""
            spread = "" if r["spread"] is None or way == "frozen" else f"± {100 * r['spread']:.1f}"
            lose = "| | | |" if way == "frozen" else (
                f"| {100 * r['lose']:.2f} | {100 * r['most']:.2f} | {r['beyond']} of {found['cases']} |"
            )  # fmt: skip
            lines.append(
                f"| {told} | {NAMES[way]} | {accepted} | {100 * r['new']:.1f} | {spread} | {kept} | "
                f"{100 * r['worst']:.1f} {lose}"
            )
            told = ""
    lines += [
        "",
        "| new | taken back bit for bit | RAM, arena in it | anchor and weights in flash |",
        "|---|---:|---:|---:|",
    ]
    lines += [
        f"| {name} | {f['undone']} of {f['cases']} | {f['ram']:,} B, {f['arena']:,} B | {f['flash']:,} B |"
        for name, f in made.items()
    ]
    return "\n".join(lines)


def read(folder: Path) -> list[dict[str, Any]]:
    """Every case that is kept, in order."""
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return sorted(found, key=lambda c: (c["kind"], c["seed"], c["fold"]))


def write(folder: Path, root: Path = ROOT) -> None:
    """The table of all cases of ``folder`` into the page."""
    tables(root / DOCS, {NAME: table(read(folder))})
