"""Where what a command writes may go, looked at before the work begins."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from ..errors import InvalidInput
from ..make.begun import begun


def writable(field: str, path: Path) -> None:
    """Raise ``InvalidInput`` before the work, if it can be known that ``path`` cannot be written after it."""
    if "\0" in str(path):
        raise InvalidInput(field, str(path).replace("\0", "\\0"), "a name has no zero byte: give another")
    try:
        found = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        found = stat.S_IFREG
    except OSError as error:
        raise InvalidInput(
            field, path, f"nothing can be written there ({error.strerror}): name another place"
        ) from None
    if stat.S_ISDIR(found):
        raise InvalidInput(field, path, "it is a directory: name a file")
    if not stat.S_ISREG(found):
        raise InvalidInput(field, path, "it is no regular file: name another place")
    _beside(field, Path(os.path.realpath(path)))


def page(path: Path) -> None:
    """Raise ``InvalidInput`` where ``--plot`` names no page, or a place that cannot be written."""
    if path.suffix not in (".html", ".htm") and not path.is_dir() and "\0" not in str(path):
        raise InvalidInput("--plot", path, "it is a page with pictures: end it in .html")
    writable("--plot", path)


def writable_folder(field: str, path: Path) -> None:
    """The same for an artifact's folder."""
    try:
        if path.exists() and not path.is_dir():
            raise InvalidInput(field, path, "it is a file: name a directory")
        if path.is_dir() and any(path.iterdir()) and not (path / "manifest.json").exists():
            raise InvalidInput(field, path, "it holds other files: name a new or empty directory")
    except OSError as error:
        raise InvalidInput(field, path, f"it cannot be read ({error.strerror}): name another place") from None
    _beside(field, path)


def writable_cut(field: str, path: Path) -> None:
    """The same for the two parts of a cut plan, each an artifact in a folder of its own."""
    try:
        if path.exists() and not path.is_dir():
            raise InvalidInput(field, path, "it is a file: name a directory")
        both = all((path / part / "manifest.json").is_file() for part in ("frozen", "tail"))
        if path.is_dir() and any(path.iterdir()) and not both:
            raise InvalidInput(field, path, "it holds other files: name a new or empty directory")
    except OSError as error:
        raise InvalidInput(field, path, f"it cannot be read ({error.strerror}): name another place") from None
    _beside(field, path)


def working_folder(field: str, path: Path, kind: str) -> None:
    """The same for a folder that keeps long work of ``kind``, which may have been begun there."""
    if not begun(field, path, kind):
        _beside(field, path)


def _beside(field: str, path: Path) -> None:
    parent = next(p for p in path.absolute().parents if p.exists())
    try:
        with tempfile.TemporaryFile(dir=parent):  # permissions alone do not tell: a file system may take no files
            pass
    except OSError:
        raise InvalidInput(field, path, f"nothing can be written in {parent}: name another place") from None
