"""Where a file that a command writes may go."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InvalidInput


def writable(field: str, path: Path) -> None:
    """Raise ``InvalidInput`` before the work, if it can be known that ``path`` cannot be written after it."""
    if path.is_dir():
        raise InvalidInput(field, path, "it is a directory: name a file")
    parent = next(p for p in path.absolute().parents if p.exists())
    if not (parent.is_dir() and os.access(parent, os.W_OK)):
        raise InvalidInput(field, path, f"nothing can be written in {parent}: name another place")
