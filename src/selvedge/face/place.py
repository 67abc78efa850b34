"""Where a file that a command writes may go."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import InvalidInput


def writable(field: str, path: Path) -> None:
    """Raise ``InvalidInput`` before the work, if it can be known that ``path`` cannot be written after it."""
    if "\0" in str(path):
        raise InvalidInput(field, str(path).replace("\0", "\\0"), "a name has no zero byte: give another")
    try:
        found = path.stat().st_mode
    except FileNotFoundError:
        found = stat.S_IFREG
    except OSError as error:
        raise InvalidInput(
            field, path, f"nothing can be written there ({error.strerror}): name another place"
        ) from None
    if stat.S_ISDIR(found):
        raise InvalidInput(field, path, "it is a directory: name a file")
    if not stat.S_ISREG(found):
        raise InvalidInput(field, path, "it is no regular file: name another place")
    parent = next(p for p in path.absolute().parents if p.exists())
    if not (parent.is_dir() and os.access(parent, os.W_OK)):
        raise InvalidInput(field, path, f"nothing can be written in {parent}: name another place")
