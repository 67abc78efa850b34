"""The table of all cells, and below it what each "lacks" was refused with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.written import ROOT, tables
from selvedge.artifact.targets import TARGETS

from .models import MODELS

DOCS = "docs/targets.md"
NOT_RUN = "·"


def table(cells: Sequence[Mapping[str, Any]]) -> str:
    """A row a model, a column a target; in it float, int8, train: an error or steps, a note, or ``·`` where not run."""
    found = {(c["model"], c["target"], c["kind"]): c for c in cells}
    notes: dict[str, int] = {}

    def said(model: str, target: str, kind: str) -> str:
        cell = found.get((model, target, kind))
        if cell is None:
            return NOT_RUN
        if "ran" in cell:
            return str(cell["ran"])
        kind_of = "lacks" if "lacks" in cell else "wrong"
        number = notes.setdefault(f"{kind_of}: {cell[kind_of]}", len(notes) + 1)
        return f"{kind_of} [{number}]"

    lines = [f"| model | {' | '.join(TARGETS)} |", f"|---|{'---|' * len(TARGETS)}"]
    for model in MODELS:
        if any(m == model for m, _, _ in found):
            row = (" / ".join(said(model, target, kind) for kind in ("float", "int8", "train")) for target in TARGETS)
            lines.append(f"| {model} | {' | '.join(row)} |")
    counts = {word: sum(word in c for c in cells) for word in ("ran", "lacks", "wrong")}
    lines += ["", f"{counts['ran']} cells ran, {counts['lacks']} lack something, {counts['wrong']} are wrong.", ""]
    return "\n".join([*lines, *(f"{number}. {_short(note)}" for note, number in notes.items())])


def write(cells: Sequence[Mapping[str, Any]]) -> None:
    tables(ROOT / DOCS, {"matrix": table(cells)})


def _short(note: str) -> str:
    return re.sub(r"(?:/[\w.+-]+)+/", "", note).replace("|", "\\|")  # of a path, its file
