"""What torch and the user's own code print while a command works."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout


@contextmanager
def held(debug: bool) -> Iterator[None]:
    """What torch and the user's own model print goes to stderr at the end, or nowhere: a refusal is one line."""
    if debug:
        yield
        return
    printed, before = io.StringIO(), logging.root.manager.disable
    logging.disable(logging.ERROR)  # torch logs, with a traceback, what it then raises
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            yield
    finally:
        logging.disable(before)
    sys.stderr.write(printed.getvalue())
