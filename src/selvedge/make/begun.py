"""Whether long work was begun in a folder, or may begin there. Loads no torch: a command asks before that."""

from __future__ import annotations

from pathlib import Path

from ..errors import InvalidInput

UNFINISHED = ".selvedge-"  # files that were being written when something killed it


def about(folder: Path, kind: str) -> Path:
    """The file that says what the work in ``folder`` is of; ``kind``: as "search"."""
    return folder / f"{kind}.json"


def begun(field: str, folder: Path, kind: str) -> bool:
    """Raises ``InvalidInput``, naming ``field``, where ``folder`` is no folder or one of other things."""
    try:
        if folder.exists() and not folder.is_dir():
            raise InvalidInput(field, str(folder), "it is a file: name a folder")
        if about(folder, kind).exists():
            return True
        if folder.exists() and any(not f.name.startswith(UNFINISHED) for f in folder.iterdir()):
            raise InvalidInput(field, str(folder), "it holds other things: name an empty or a new one")
    except OSError as error:
        raise InvalidInput(field, str(folder), f"it cannot be read ({error.strerror}): name another place") from None
    return False
