"""``python -m benchmarks.prove [--again] [NAME ...]``: makes the proofs of those names, else those that are stale."""

from __future__ import annotations

import json
import sys
import time

from .kept import keep, known
from .proofs import PROOFS
from .seen import seen_again
from .staleness import stale


def main(arguments: list[str]) -> int:
    """Prove what is stale (or the names); each result is written as soon as it is there."""
    part = "--again" in arguments
    names = [name for name in arguments if name != "--again"] or stale()
    for name in names:
        if name not in PROOFS or (part and name not in known()):
            told = "has no full run to see again" if name in PROOFS else f"is no proof: choose of {', '.join(PROOFS)}"
            print(f"benchmarks.prove: {name!r} {told}; --again runs a tenth of what changed", file=sys.stderr)
            return 2
    failed = 0
    for name in names:
        print(f"{name} ...", flush=True)
        start, digest = time.perf_counter(), PROOFS[name].digest()
        try:
            if part:
                made = {**known()[name], "again": seen_again(name, known()[name])}
            else:
                made = {"digest": digest, "figures": PROOFS[name].run()}
                # Rows that an earlier run has made took their time then.
                made["seconds"] = made["figures"].get("about", {}).get("seconds", round(time.perf_counter() - start, 1))
        except AssertionError as error:
            print(f"FAILED {name}: {error}")
            failed += 1
            continue
        keep(name, made)
        told = json.dumps(made["again"] if part else made["figures"])[:400]
        print(f"{name}: {time.perf_counter() - start:.0f} s: {told}", flush=True)
    for name, result in known().items():  # of earlier runs too: what was missed stays a failure
        if missed := result["figures"].get("missed"):
            print(f"FAILED {name}: {'; '.join(missed)}")
            failed += 1
    if not failed:
        print("every proof is current")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
