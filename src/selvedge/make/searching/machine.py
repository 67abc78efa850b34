"""This machine as a search's folder knows it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from ...device import Device
from ..begun import about

KIND = "search"  # of the folder's work


def machine(folder: str | Path | None, now: Device) -> Device:
    """This machine as it was measured when ``folder`` was begun, else as it is ``now``: free memory and speed are
    others each time, and a search has one budget."""
    if folder is None:
        return now
    try:
        table = tomllib.loads(json.loads(about(Path(folder), KIND).read_text())["device"])
    except (OSError, ValueError, KeyError, TypeError):
        return now
    same = (table.get("name"), table.get("summary")) == (now.name, now.summary)
    return Device(**table) if same else now
