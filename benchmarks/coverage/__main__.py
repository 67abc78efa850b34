"""``python -m benchmarks.coverage``: draw every entry, write docs/coverage.md. Exit code 1 if a draw is wrong."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from selvedge.artifact import files

from .page import ENTRIES, page
from .run import drawn

PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"
DRAWS = 20


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description="torch.nn against autograd.")
    parser.add_argument("--draws", type=int, default=DRAWS, help="of each entry")
    parser.add_argument("--only", default="", help="a pattern that names must match; printed, not written")
    given = parser.parse_args(arguments)
    rows, wrong = {}, []
    for entry in ENTRIES:
        if re.search(given.only, entry.name):
            rows[entry.name], faults = drawn(entry, range(given.draws))
            wrong += faults
    text = page(rows, given.draws)
    print("\n".join(wrong) if wrong else text)
    if not wrong and not given.only:
        files.write(PAGE, text.encode())
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
