"""A property test as a proof: with more examples than there is time for with every change."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from .sources import ROOT


def counted(test: str, examples: int) -> dict[str, Any]:
    """``test`` with so many examples, and with all that CI has no time for: figures to quote."""
    return {"test": test, "examples": examples, "result": tested((test,), examples, full=True)}


def tested(tests: Sequence[str], examples: int, full: bool) -> str:
    """What pytest says at its end. ``full``: with all that CI has no time for.

    Raises ``AssertionError`` where a test fails."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "--timeout=3600", *tests],
        cwd=ROOT,
        env={**os.environ, "SELVEDGE_EXAMPLES": str(examples), "SELVEDGE_FULL": "1" if full else ""},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-300:]
    if done.returncode:
        raise AssertionError(f"{tests[0]}: {last}\n{done.stdout[-3000:]}")
    return re.sub(r" in [\d.]+s.*", "", last)
