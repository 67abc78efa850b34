"""One process a folder: a file that is locked for as long as its holder lives, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ...errors import InvalidInput
from .files import LOCK


def lock(folder: Path, mode: int) -> int:
    """The handle that holds ``folder``; closing it lets go. Raises ``InvalidInput`` where another one has it."""
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, mode)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(handle, 20).decode("ascii", "replace").strip()
        os.close(handle)
        fix = f"process {holder or 'unknown'} has it open: end that one first, or name another folder"
        raise InvalidInput("journal", str(folder), fix) from None
    except BaseException:
        os.close(handle)
        raise
    os.pwrite(handle, f"{os.getpid():<19}\n".encode(), 0)
    return handle
