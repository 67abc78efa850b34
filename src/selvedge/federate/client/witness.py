"""Whether a file is the one that was written last: what the memory of the machine knows of its disk.

A disk that has lost the last of what was written when the power was cut, and a copy of a folder that was brought back,
say what was true some time ago. The memory does not come back with them: it has a token of the last record, and
another one, or none, is that of an older one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

SHARED = Path("/dev/shm")  # of Linux, in memory: it outlives a process and no start of the machine
CAREFUL = os.O_NOFOLLOW | os.O_NONBLOCK  # others write there, too: no link is followed, no pipe waited for


class Witness:
    """Of the file ``path``. shared: a folder in memory; where it is none, only this process knows, and the next one
    takes the file for an older one."""

    def __init__(self, path: Path, shared: Path = SHARED) -> None:
        self._own = ""
        of = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:32]
        self._file = shared / f"selvedge-{os.geteuid()}-{of}" if _in_memory(shared) else None

    def saw(self, token: str) -> bool:
        """Whether the last record is that of ``token``."""
        said = self._own
        if self._file is not None:
            try:
                handle = os.open(self._file, os.O_RDONLY | CAREFUL)
                with os.fdopen(handle, "r", encoding="ascii") as file:
                    said = file.read(len(token) + 1) if os.fstat(handle).st_uid == os.geteuid() else ""
            except (OSError, ValueError):
                said = ""
        return bool(token) and said == token

    def note(self, token: str) -> None:
        """The record of ``token`` is written. Where that cannot be noted, it is an older one when it is read."""
        self._own = token
        if self._file is None:
            return
        temporary = self._file.with_name(f"{self._file.name}-{os.getpid()}")
        with contextlib.suppress(OSError):
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | CAREFUL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(token)
            os.replace(temporary, self._file)

    def clear(self) -> None:
        """There is nothing any more that could come back."""
        self._own = ""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._file)


def _in_memory(folder: Path) -> bool:
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return False
    return any(line.split(" ")[1:3] == [str(folder), "tmpfs"] for line in lines) and os.access(folder, os.W_OK)
