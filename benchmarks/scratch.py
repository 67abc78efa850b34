"""A folder that the processes of one run share: what one of them has made, the others need not make again."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_NAME = "SELVEDGE_BENCHMARKS_SCRATCH"


def scratch() -> Path:
    """Made by the process that asks first, gone with it; the processes that it starts later are told by environment."""
    if _NAME not in os.environ:
        os.environ[_NAME] = tempfile.mkdtemp(prefix="selvedge-benchmarks-")
        atexit.register(shutil.rmtree, os.environ[_NAME], ignore_errors=True)
    return Path(os.environ[_NAME])
