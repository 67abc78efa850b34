"""The file that a session pages out to."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import InvalidInput, SelvedgeError


class StorageFailed(SelvedgeError):
    """What values are paged out to could not be written or read. Nothing was updated."""

    def __init__(self, program: str) -> None:
        super().__init__(f"storage: {program} could not write or read it: free some space; nothing was updated")


class Torn(SelvedgeError):
    """Storage failed in the middle of an update: the state is part old, part new, and every program refuses."""

    def __init__(self) -> None:
        super().__init__("storage failed in the middle of an update: load a good state into the session, then go on")


def opened(path: object, size: int) -> BinaryIO:
    """A file of ``size`` bytes at ``path``, made anew, or without a name in the system's temporary directory.

    Its bytes mean nothing between two calls. A file that is there is unlinked rather than written over: a session that
    still pages to it keeps its own. Raises :class:`InvalidInput` where it cannot be made; nothing is left of it then.
    """
    if path is None:
        place, file = Path(tempfile.gettempdir()), _nameless()
    elif not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str) or "\0" in os.fspath(path):
        raise InvalidInput("storage", f"of type {type(path).__name__}", "give the path of a file")
    else:
        place = Path(path)
        file = _named(place)
    try:
        os.posix_fallocate(file.fileno(), 0, size)  # space that is missing shows now
    except OSError as error:
        file.close()
        if path is not None:
            place.unlink(missing_ok=True)
        fix = f"{size:,} bytes cannot be kept there ({error.strerror}); give another place"
        raise InvalidInput("storage", str(place), fix) from None
    return file


def _nameless() -> BinaryIO:
    try:
        return cast(BinaryIO, tempfile.TemporaryFile(prefix="selvedge-"))
    except OSError as error:
        fix = f"no file can be made there ({error.strerror}); give storage= another"
        raise InvalidInput("storage", "the temporary directory", fix) from None


def _named(place: Path) -> BinaryIO:
    try:
        if place.exists():
            if not place.is_file():
                raise InvalidInput("storage", str(place), "cannot be written (it is no regular file); give another")
            if not os.access(place, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            place.unlink()
        return open(place, "xb+")
    except OSError as error:
        raise InvalidInput("storage", str(place), f"cannot be written ({error.strerror}); give another") from None
