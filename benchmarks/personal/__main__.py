"""``python -m benchmarks.personal [--seeds N] [--owners N] [--out FILE]``: ten owners, as a table."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from selvedge.artifact import files

from .speakers import absent
from .study import seed, summary, table


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.personal", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--owners", type=int, help="the first few only")
    parser.add_argument("--out", type=Path, help="every figure as JSON, kept after each seed and taken up again")
    given = parser.parse_args(arguments)
    if missing := absent():
        print(f"benchmarks.personal: {missing} is absent: set SELVEDGE_DATA", file=sys.stderr)
        return 2
    found = json.loads(given.out.read_text()) if given.out and given.out.exists() else []
    for number in range(given.seeds):
        if number not in [s["seed"] for s in found]:
            found.append(seed(number, given.owners))
            if given.out:
                files.write(given.out, json.dumps(found).encode())
    print(table(summary(found)))
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
