"""Where a benchmark's figures and tables go: a JSON file among the results, and between markers of a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selvedge.artifact import files

from .readme import replaced

ROOT = Path(__file__).parents[1]


def figures(result: Mapping[str, Any], file: Path) -> None:
    files.write(file, (json.dumps(result, indent=1) + "\n").encode())


def results(name: str) -> Path:
    """The file of the figures that are committed."""
    return ROOT / "benchmarks" / "results" / f"{name}.json"


def tables(page: Path, texts: Mapping[str, str]) -> None:
    """Each text between the markers of its name. Raises ``ValueError``, and writes nothing, where one is missing."""
    text = page.read_text()
    for name, table in texts.items():
        text = replaced(text, name, table)
    files.write(page, text.encode())
