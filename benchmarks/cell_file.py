"""Where a cell of a benchmark - a target, a model of the zoo, a kind of run - is kept."""

from __future__ import annotations

from pathlib import Path


def cell_file(folder: Path, target: str, model: str, kind: str) -> Path:
    """In ``folder``. model: as the zoo names it, whose ``?`` and ``&`` are in no file's name."""
    return folder / f"{target}-{model.replace('?', '_').replace('&', '_')}-{kind}.json"
