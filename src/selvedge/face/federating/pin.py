"""The PIN of a token: out of a file, or typed; never an argument, which everybody on the machine sees."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable
from pathlib import Path

from ...errors import InvalidInput


def pin(file: Path | None) -> Callable[[str], str]:
    """A token's label -> its PIN, asked for once. Raises ``InvalidInput`` where there is none to be had."""
    known: dict[str, str] = {}

    def of(token: str) -> str:
        if token not in known:
            known[token] = _typed(token) if file is None else _read(file)
        return known[token]

    return of


def _read(file: Path) -> str:
    try:
        mode, text = file.stat().st_mode, file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidInput("--pin-file", str(file), f"it cannot be read ({error})") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InvalidInput("--pin-file", str(file), f"others may read it: chmod 600 {file}, and change the PIN")
    if not text.strip():
        raise InvalidInput("--pin-file", str(file), "it holds no PIN")
    return text.rstrip("\r\n")


def _typed(token: str) -> str:
    if not sys.stdin.isatty():
        raise InvalidInput("--pin-file", "missing", f"the token {token} wants its PIN: name a file with it, mode 600")
    from getpass import getpass

    return getpass(f"PIN of {token}: ")
