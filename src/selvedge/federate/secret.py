"""Secrets on disk: a file that nobody but its owner can read, from its first byte on."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from pathlib import Path

from ..artifact import files
from ..errors import InvalidInput
from .keys import PUBLIC, Key


def keep(path: Path, data: bytes) -> None:
    """Write ``data`` as ``path``, mode 0600, whole or not at all, and there still when the power is cut behind it.
    What a process that was killed here has left is written over by the next one. Raises ``InvalidInput`` where it
    cannot be."""
    temporary = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _alone(temporary, os.O_CREAT)
        with os.fdopen(handle, "wb") as file:
            try:
                os.fchmod(handle, 0o600)
                os.ftruncate(handle, 0)
                file.write(data)
                file.flush()
                os.fsync(handle)
                os.replace(temporary, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)  # while it is this one's
                raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # else the name may be the earlier file's again
        finally:
            os.close(folder)
    except OSError as error:
        raise files.unwritable(path, error) from None


def sweep(path: Path) -> None:
    """Delete what a process that was killed while it wrote ``path`` has left of it."""
    with contextlib.suppress(OSError):
        handle = _alone(_beside(path), 0)
        try:
            os.unlink(_beside(path))
        finally:
            os.close(handle)


def _beside(path: Path) -> Path:
    """The one place of what is to be ``path``: whatever is left there is found again."""
    return path.parent / f".selvedge-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}"


def _alone(temporary: Path, flags: int) -> int:
    """The file of that name, open, and of nobody else until it is closed. Raises ``OSError``."""
    while True:
        # Whoever else may write here could have put a pipe there, which nobody reads, or a name of another file.
        handle = os.open(temporary, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | flags, 0o600)
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
                raise OSError(errno.EPERM, f"{temporary.name} there is none of ours")
            fcntl.flock(handle, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.stat(temporary, follow_symlinks=False)):
                    return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # who had it before has renamed it


def key(path: Path) -> Key:
    """The private key that ``path`` holds, in hexadecimal; a new one where there is no such file.

    Raises ``InvalidInput`` for a file that holds none, and one that others may read.
    """
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="ascii")
    except FileNotFoundError:
        made = Key()
        keep(path, f"{made.secret.hex()}\n".encode())
        return made
    except (OSError, ValueError) as error:
        raise InvalidInput("key file", str(path), f"it cannot be read ({error})") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InvalidInput("key file", str(path), f"others may read it: chmod 600 {path}, or make a new key")
    try:
        found = bytes.fromhex(text.strip())
    except ValueError:
        found = b""
    if len(found) != PUBLIC:
        raise InvalidInput("key file", str(path), f"it holds no key: {2 * PUBLIC} hexadecimal digits")
    return Key(found)
