"""``selvedge demo``: tell the story, show it, write the page."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console

from ...artifact import files
from ..place import writable
from .display import Silent, Terminal
from .report import page
from .story import tell


def run(seed: int, report: Path, as_json: bool) -> None:
    """Run the demonstration for ``seed`` and write its page to ``report``, whole or not at all.

    as_json: print one JSON object and nothing else. Raises :class:`InvalidInput` for a bad seed or an output that
    cannot be written (before the work begins, where that can be known), and what planning and compiling raise.
    """
    writable("report", report)
    if as_json:
        outcome = tell(seed, Silent())
        files.write(report, page(outcome).encode())
        sys.stdout.write(json.dumps({**outcome.to_dict(), "report": str(report)}) + "\n")
        return
    console = Console(highlight=False)
    with Terminal(console) as terminal:
        outcome = tell(seed, terminal)
        files.write(report, page(outcome).encode())
        terminal.finish(outcome)
    console.print(f"\n{outcome.seconds:.1f} s in all; the page with the plots: {report}", soft_wrap=True)
