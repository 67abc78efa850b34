"""The file that a session pages out to."""

from __future__ import annotations

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

    Its bytes mean nothing between two calls. Raises :class:`InvalidInput` where it cannot be made.
    """
    if path is None:
        file = cast(BinaryIO, tempfile.TemporaryFile(prefix="selvedge-"))  # noqa: SIM115
    elif not isinstance(path, str | os.PathLike) or "\0" in os.fspath(path):
        raise InvalidInput("storage", f"of type {type(path).__name__}", "give the path of a file")
    else:
        try:
            file = open(Path(path), "wb+")  # noqa: SIM115
        except OSError as error:
            raise InvalidInput("storage", str(path), f"cannot be written ({error.strerror}); give another") from None
    try:
        os.posix_fallocate(file.fileno(), 0, size)  # space that is missing shows now
    except OSError as error:
        file.close()
        fix = f"{size:,} bytes cannot be kept there ({error.strerror}); give another place"
        raise InvalidInput("storage", str(path or tempfile.gettempdir()), fix) from None
    return file
