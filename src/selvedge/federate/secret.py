"""Secrets on disk: a file that nobody but its owner can read, from its first byte on."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from ..artifact import files
from ..errors import InvalidInput
from .keys import PUBLIC, Key


def keep(path: Path, data: bytes) -> None:
    """Write ``data`` as ``path``, mode 0600, whole or not at all, and there still when the power is cut behind it.
    Raises ``InvalidInput`` where it cannot be."""
    temporary = path.parent / f".selvedge-{secrets.token_hex(8)}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # else the name may be the earlier file's again
        finally:
            os.close(folder)
    except OSError as error:
        raise files.unwritable(path, error) from None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


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
