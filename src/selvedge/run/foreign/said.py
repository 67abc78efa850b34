"""What a runtime that is C++ writes to standard error, past Python."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO


class Heard:
    """Called, it is the text."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._text: str | None = None

    def __call__(self) -> str:
        if self._text is None:
            self._file.seek(0)
            self._text = self._file.read().decode(errors="replace")
        return self._text


@contextmanager
def said() -> Iterator[Heard]:
    """What is written there meanwhile, and does not come out: for some the only place where they say why. Where it is
    closed, or no file can be made, nothing is heard, and what is written goes where it would."""
    if sys.stderr is not None:
        sys.stderr.flush()
    with contextlib.ExitStack() as stack:
        try:
            file: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())
            kept = os.dup(2)
        except OSError:
            yield Heard(io.BytesIO())
            return
        os.dup2(file.fileno(), 2)
        heard = Heard(file)
        try:
            yield heard
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            heard()
