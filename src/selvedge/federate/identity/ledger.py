"""What an authority has done, a line an act, each signed and with the digest of the line before it: nothing can be
taken out of the middle or put in. It is only ever added to; a line that a crash has cut off was never said.

    {"number", "at", "event", "body", "before": SHA-256 of the line before, "signature"}
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...artifact import files
from ...errors import InvalidInput
from ..keys import Signer, signed
from ..message import Refused
from .register import EVENTS, Register

CONTEXT = b"SVL1"  # before what is signed
FIRST = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """``at``: seconds since 1970."""

    number: int
    at: int
    event: str
    body: Mapping[str, Any]


class Ledger:
    """The file ``path``, every line of it verified."""

    def __init__(self, path: Path) -> None:
        """Raises ``InvalidInput`` for a file that is none, which names the line."""
        self.path, self.register, self.entries = path, Register(), list[Entry]()
        self.head = FIRST
        try:
            data = path.read_bytes() if path.exists() else b""
        except OSError as error:
            raise InvalidInput("ledger", str(path), f"it cannot be read ({error})") from None
        self._end = data.rfind(b"\n") + 1
        for number, line in enumerate(data[: self._end].splitlines(), 1):
            try:
                self._take(number, line)
            except (Refused, ValueError, KeyError, TypeError, AttributeError) as error:
                fix = f"line {number} is not what the authority wrote ({error}): take it from a copy"
                raise InvalidInput("ledger", str(path), fix) from None

    def add(self, at: int, event: str, body: Mapping[str, Any], key: Signer) -> None:
        """One act, on the disk before this returns. ``key``: that signs until then; of the first, that begins."""
        number = len(self.entries) + 1
        plain = {"number": number, "at": at, "event": event, "body": dict(body), "before": self.head}
        line = _text({**plain, "signature": key.sign(CONTEXT + _text(plain)).hex()})
        self._take(number, line)
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o666)
            with os.fdopen(handle, "wb") as file:
                file.truncate(self._end)  # what a crash has cut off
                file.seek(self._end)
                file.write(line + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise files.unwritable(self.path, error) from None
        self._end += len(line) + 1

    def _take(self, number: int, line: bytes) -> None:
        given = json.loads(line)
        signature = bytes.fromhex(given.pop("signature"))
        entry = Entry(given["number"], given["at"], given["event"], given["body"])
        if entry.number != number or given["before"] != self.head or entry.event not in EVENTS:
            raise Refused("it does not follow the line before it")
        key = bytes.fromhex(entry.body["key"]) if number == 1 else self.register.key
        if not signed(CONTEXT + _text(given), signature, key):
            raise Refused("the authority has not signed it")
        self.register.apply(entry.event, entry.at, entry.body)
        self.entries.append(entry)
        self.head = hashlib.sha256(line).hexdigest()


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Alone with an authority's folder. Raises ``InvalidInput`` where another process is at it."""
    try:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise InvalidInput("authority", str(folder), f"it cannot be opened ({error.strerror})") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidInput("authority", str(folder), "another process is at it: wait for its end") from None
        yield
    finally:
        os.close(handle)


def _text(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
