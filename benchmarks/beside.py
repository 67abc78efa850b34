"""``python -m benchmarks.beside COMMIT PROOF``: a tenth again where another processor rounds otherwise: the cases are
made by the sources of an earlier commit and by these, on this machine, and must be the same to the last digit.

The commit is one at which the proof was current. What a training makes of the last bits of a sum, and a search of its
time, is a machine's own (docs/adr/0023); what a change of the code makes of them is seen so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from . import again, prove
from .command import command

ROOT = Path(__file__).parents[1]
AUTO = """
import json, sys, tempfile
from pathlib import Path
from benchmarks.auto.experiment import case
from benchmarks.prove_auto import short
with tempfile.TemporaryDirectory() as folder:
    print(json.dumps(short(case(sys.argv[1], int(sys.argv[2]), Path(folder)))))
"""
QUANTISE = """
import json, sys
from benchmarks.prove_quantise import short
from benchmarks.quantise.experiment import case
print(json.dumps(short(case(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
"""
MEMORY = """
import json, sys
from benchmarks.again import TRADED
from benchmarks.prove_memory import _apart
from benchmarks.scratch import scratch
from benchmarks.zoo_memory import VARIANTS, ours
if __name__ == "__main__":
    scratch()
    exact = ("failed", "update", "planned", "measured", "persistent", "transient", "bound", "bound_any_order", "proven")
    made = _apart(ours, sys.argv[1])
    # A search of a traded plan ends by the clock.
    kept = {v: {f: made[v][f] for f in exact if f in made[v]} for v in VARIANTS if v not in TRADED}
    print(json.dumps(kept))
"""
CASES = {
    "memory of every zoo network, with peers": (MEMORY, ("model",)),
    "what to update, four transfers": (AUTO, ("task", "seed")),
    "quantised networks, five seeds": (QUANTISE, ("task", "seed", "fold")),
}
ROWS = {"memory of every zoo network, with peers": "rows"}  # where its table lies in its figures
CLOCKED = ("seconds",)


def main(arguments: list[str] | None = None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 2 or given[1] not in CASES:
        print(f"benchmarks.beside: give a commit and one of {', '.join(CASES)}", file=sys.stderr)
        return 2
    commit, name = given
    known = prove.known()
    digest = prove.PROOFS[name].digest()
    with tempfile.TemporaryDirectory(prefix="selvedge-beside-") as folder:
        then = Path(folder) / "then"
        subprocess.run(["git", "worktree", "add", "-q", "--detach", str(then), commit], check=True, cwd=ROOT)
        try:
            told = []
            for row in again.drawn(known[name]["figures"][ROWS.get(name, "cases")], digest):
                case = [str(row[field]) for field in CASES[name][1]]
                with ThreadPoolExecutor(2) as both:
                    before, now = both.map(partial(_made, code=CASES[name][0], case=case), (then, ROOT))
                if before != now:
                    print(f"FAILED {name}: {' '.join(case)} is another than at {commit}", file=sys.stderr)
                    return 1
                told.append(" ".join(case))
                print(f"{name}: {told[-1]} is the same", flush=True)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(then)], check=True, cwd=ROOT)
    result = f"to the last digit what the sources of {commit} make on the same machine ({', '.join(told)})"
    prove.keep(name, {**known[name], "again": {"digest": digest, "examples": len(told), "result": result}})
    return 0


def _made(root: Path, code: str, case: list[str]) -> Mapping[str, Any]:
    around = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)])}
    with tempfile.TemporaryDirectory(prefix="selvedge-case-") as folder:
        script = Path(folder) / "case.py"  # a file, for a case may start processes of its own
        script.write_text(code)
        line = [sys.executable, "-W", "ignore", str(script), *case]
        done = subprocess.run(line, cwd=root, env=around, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-500:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {field: value for field, value in found.items() if field not in CLOCKED}


if __name__ == "__main__":
    command("benchmarks.beside", main)
