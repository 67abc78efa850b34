"""The one file of hyper-parameters."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("habits.toml")


def habits(part: str) -> dict[str, Any]:
    """Those of ``part`` of the file, by name; a part of a part is behind a dot."""
    found: dict[str, Any] = tomllib.loads(FILE.read_text())
    for name in part.split("."):
        found = found[name]
    return found
