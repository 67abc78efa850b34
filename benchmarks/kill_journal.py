"""``python -m benchmarks.kill_journal [KILLS]``: what keeps a journal is killed again and again, and nothing is lost.

A child appends numbered records and takes snapshots; how a record and a state look follows from their numbers. It says
the number of each append as soon as that has returned. It is killed (SIGKILL) at a random moment. What is then found
must be all records from the first to one that is no earlier than the last it spoke of, bit for bit, in a folder that
is no larger than its limit. The next child goes on in the same folder.
"""

from __future__ import annotations

import contextlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from selvedge.errors import DoesNotFit
from selvedge.learn.journal.journal import Journal
from selvedge.learn.journal.record import Record

LIMIT = 40_000


def made(number: int) -> dict[str, np.ndarray]:
    """The arrays of a record: of another length each, so that frames end anywhere."""
    rng = np.random.default_rng(number)
    return {"x": rng.integers(0, 256, int(rng.integers(1, 600)), np.uint8), "y": rng.normal(0, 1, 3).astype(np.float32)}


def learnt(state: np.ndarray, number: int) -> np.ndarray:
    """The state behind one more record. The order counts."""
    return state * np.float64(0.999) + made(number)["y"].sum() * np.arange(len(state))


def state_of(found: Record | None, records: list[Record]) -> np.ndarray:
    """The state that a snapshot and the records behind it give; each record is looked at on the way."""
    state = np.zeros(500) if found is None else found.arrays["state"]
    number = 0 if found is None else found.number
    for record in records:
        assert (record.number, record.head) == (number, {"call": number}), record
        wanted = made(number)
        assert {n: a.tobytes() for n, a in record.arrays.items()} == {n: a.tobytes() for n, a in wanted.items()}
        state, number = learnt(state, number), number + 1
    return state


def child(folder: str, sync: Any) -> None:
    """Append and snapshot until killed."""
    journal = Journal(folder, LIMIT, sync)
    state = state_of(*journal.recover())
    print("ready", flush=True)
    rng = random.Random()
    while True:
        try:
            number = journal.append({"call": journal.number}, made(journal.number))
        except DoesNotFit:  # it is larger than any before
            journal.snapshot({}, {"state": state})
            number = journal.append({"call": journal.number}, made(journal.number))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        state = learnt(state, number)
        if journal.due or rng.random() < 0.1:
            journal.snapshot({}, {"state": state})


def run(kills: int, seed: int = 0, folder: Path | None = None) -> dict[str, Any]:
    """The figures of so many kills. Raises ``AssertionError`` where anything is lost, wrong or too large."""
    with contextlib.ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        return _run(kills, random.Random(seed), place / "journal")


def _run(kills: int, rng: random.Random, folder: Path) -> dict[str, Any]:
    state, number = np.zeros(500), 0  # what an uninterrupted run has, followed alongside
    torn = half = unsaid = snapshots = 0
    for i in range(kills):
        sync = ("record", "snapshot")[i % 2]
        with subprocess.Popen(
            [sys.executable, "-m", "benchmarks.kill_journal", "--child", str(folder), sync], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            time.sleep(rng.random() * 0.1)
            assert process.poll() is None, f"kill {i}: it ended by itself"
            process.send_signal(signal.SIGKILL)
            said = process.stdout.read().split(b"\n")[:-1]  # behind the last line end: what it had no time to say
        last = int(said[-1]) + 1 if said else number
        held = sum(file.stat().st_size for file in folder.iterdir())
        assert held <= LIMIT, f"kill {i}: {held:,} B"
        half += any(file.suffix == ".new" for file in folder.iterdir())
        with Journal(folder, LIMIT) as journal:
            assert journal.number in (last, last + 1), f"kill {i}: {journal.number} records, {last} were said"
            torn += bool(journal.dropped)
            unsaid += journal.number > last
            found, records = journal.recover()
        snapshots += found is not None
        while number < journal.number:
            state, number = learnt(state, number), number + 1
        assert state_of(found, records).tobytes() == state.tobytes(), f"kill {i}: another state"
    return {
        "kills": kills,
        "records": number,
        "in a record": torn,
        "in a snapshot": half,
        "behind a record, before it was said": unsaid,
        "with a snapshot": snapshots,
        "lost": 0,
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    print(json.dumps(run(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)))
