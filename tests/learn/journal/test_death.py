"""A death at every step of an append and of a snapshot: before the step, and half-way through each write."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

# A process of its own that forks: its children die at their k-th call of the system, for all k.
EVERY = """
import json, os, shutil, sys
from pathlib import Path
import numpy as np
from selvedge.learn.journal.journal import Journal

root = Path(sys.argv[1])
names = ("open", "write", "fsync", "replace", "unlink", "ftruncate")
real = {name: getattr(os, name) for name in names}

def arrays(number):
    return {"x": np.arange(number % 7 * 10)}

def begin(folder):
    with Journal(folder, 30_000) as journal:
        for number in range(4):
            if number in (1, 3):
                journal.snapshot({"records": number}, {"state": np.arange(300)})
            journal.append(number, arrays(number))

def dying(at, half):
    left = [at]
    def wrapped(name):
        def call(*given, **more):
            left[0] -= 1
            if left[0] == 0:
                if half and name == "write":
                    real[name](given[0], bytes(given[1])[: len(given[1]) // 2])
                os._exit(9)
            return real[name](*given, **more)
        return call
    for name in names:
        setattr(os, name, wrapped(name))

def run(what, at, half):
    folder = root / f"{what}-{at}-{half}"
    begin(folder)
    child = os.fork()
    if child == 0:
        journal = Journal(folder, 30_000)
        dying(at, half)
        if what == "append":
            journal.append(4, arrays(4))
        else:
            journal.snapshot({"records": 4}, {"state": np.arange(300) + 1})
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended in (0, 9), ended
    with Journal(folder, 30_000) as journal:
        snapshot, records = journal.recover()
        number = journal.number
        wanted = [(n, n) for n in range(snapshot.number, number)]
        assert [(r.number, r.head) for r in records] == wanted, (what, at, half)
        assert all(r.arrays["x"].tobytes() == arrays(r.number)["x"].tobytes() for r in records)
        assert snapshot.head == {"records": snapshot.number}
        assert (snapshot.arrays["state"] == np.arange(300) + (snapshot.number == 4)).all()
        assert not any(file.name.endswith(".new") for file in folder.iterdir())
        journal.append(number, arrays(number))
        journal.snapshot({"records": number + 1}, {"state": np.arange(300)})
    with Journal(folder, 30_000) as journal:
        assert (journal.dropped, journal.number, journal.recover()[0].number) == ((), number + 1, number + 1)
    shutil.rmtree(folder)
    return ended == 0, snapshot.number, number

found = {}
for what in ("append", "snapshot"):
    for half in (False, True):
        for at in range(1, 200):
            done, snapshot, number = run(what, at, half)
            found.setdefault(what, []).append([done, snapshot, number])
            if done:
                break
print(json.dumps(found))
"""


def test_a_death_at_every_step_leaves_what_was_or_what_is(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", EVERY, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {(s, n) for ended, s, n in found["append"] if not ended} <= {(3, 4), (3, 5)}
    assert [found["append"][-1], found["snapshot"][-1]] == [[True, 3, 5], [True, 4, 4]]
    # The snapshot takes its place in one step: the old one until then, the new one from then on.
    first = [s for ended, s, _ in found["snapshot"][: len(found["snapshot"]) // 2]]
    assert first == sorted(first)
    assert set(first) == {3, 4}
    assert len(first) > 12
    assert all(n == 4 for _, _, n in found["snapshot"])
