"""The one file of settings."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("settings.toml")


def settings(task: str) -> dict[str, Any]:
    """Those of all tasks and of ``task``, by name."""
    found = tomllib.loads(FILE.read_text())
    return {**{k: v for k, v in found.items() if not isinstance(v, dict)}, **found[task]}
