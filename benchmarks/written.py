"""Where a benchmark's figures and tables go: a JSON file among the results, and between markers of a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selvedge.artifact import files

from .readme import replaced

ROOT = Path(__file__).parents[1]


def figures(result: Mapping[str, Any], file: Path, wide: int = 0) -> None:
    """wide: what takes no more characters than that stands on one line."""
    files.write(file, (text(result, wide) + "\n").encode())


def text(value: Any, wide: int, depth: int = 0) -> str:
    """As JSON, a level of indentation a blank."""
    short = json.dumps(value)
    if not wide:
        return json.dumps(value, indent=1)
    if len(short) <= wide or not isinstance(value, list | dict):
        return short
    inner = " " * (depth + 1)
    if isinstance(value, dict):
        parts = [f"{inner}{json.dumps(key)}: {text(one, wide, depth + 1)}" for key, one in value.items()]
    else:
        parts = [inner + text(one, wide, depth + 1) for one in value]
    opened, closed = "{}" if isinstance(value, dict) else "[]"
    return opened + "\n" + ",\n".join(parts) + "\n" + " " * depth + closed


def results(name: str) -> Path:
    """The file of the figures that are committed."""
    return ROOT / "benchmarks" / "results" / f"{name}.json"


def tables(page: Path, texts: Mapping[str, str]) -> None:
    """Each text between the markers of its name. Raises ``ValueError``, and writes nothing, where one is missing."""
    text = page.read_text()
    for name, table in texts.items():
        text = replaced(text, name, table)
    files.write(page, text.encode())
