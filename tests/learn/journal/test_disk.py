"""Disks that really are full: a file that may not grow, and a file system of 64 KiB. Each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from selvedge.learn.journal.journal import Journal
from tests.required import missing

# Appends until it is refused; then what is there must be what was accepted, and it goes on once there is room.
FULL = """
import json, os, resource, sys
from pathlib import Path
import numpy as np
from selvedge.errors import InvalidInput
from selvedge.learn.journal.journal import Journal

how, folder = sys.argv[1], Path(sys.argv[2])
filler = folder.parent / "filler"
if how == "disk":
    filler.write_bytes(bytes(16_384))
journal = Journal(folder, 1 << 20)
journal.append("first")
journal.snapshot("begin", {"state": np.arange(200)})
if how == "file":
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))

def fill():
    while True:
        try:
            journal.append({"number": journal.number}, {"x": np.full(600, journal.number % 256, np.uint8)})
        except InvalidInput as error:
            return str(error)

def there():
    snapshot, records = journal.recover()
    return [snapshot.head, snapshot.number, len(records), all((r.arrays["x"] == r.number % 256).all() for r in records)]

said, number = fill(), journal.number
again = fill()
assert journal.number == number  # nothing of what was refused
found = there()
large = None
try:
    journal.snapshot("large", {"state": np.arange(7000)})
except InvalidInput as error:
    large = str(error)
assert there() == found
left = sorted(f.name for f in folder.iterdir())
if how == "disk":
    filler.unlink()
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
journal.append({"number": number}, {"x": np.full(600, number % 256, np.uint8)})
after = there()
journal.close()
journal = Journal(folder, 1 << 20)
assert there() == after and not journal.dropped
print(json.dumps([said, again, number, found, large, left, after]))
"""


def checked(output: str, reason: str) -> None:
    said, again, number, found, large, left, after = json.loads(output)
    wanted = f"it cannot be written or read ({reason}): make room, or name another folder"
    for line in (said, again, large):
        assert wanted in line
        assert "\n" not in line
    assert found == ["begin", 1, number - 1, True]
    assert number > 5
    assert after == ["begin", 1, number, True]
    assert not any(name.endswith(".new") for name in left)


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, "file", str(tmp_path / "journal")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    checked(done.stdout, "File too large")


def test_a_full_disk(tmp_path: Path) -> None:
    """A tmpfs in a mount namespace of its own: it is gone with the process."""
    space = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=64k none {tmp_path}"
    try:
        can = subprocess.run([*space, mount], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        missing("unshare")
    if can.returncode:
        missing(f"a mount of tmpfs ({can.stderr.strip()})")
    script = [*space, f'{mount} && exec "$0" -c "$1" disk {tmp_path}/journal', sys.executable, FULL]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    checked(done.stdout, "No space left on device")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Asked as another user: root may write anywhere."""
    script = (
        "import os, sys\nfrom selvedge.errors import InvalidInput\nfrom selvedge.learn.journal.journal import Journal\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "try: Journal(sys.argv[1] + '/below', 20000)\nexcept InvalidInput as error: print(error)\n"
    )
    tmp_path.chmod(0o555)
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert "it cannot be written or read (Permission denied)" in done.stdout, done.stderr


def test_the_records_since_the_last_snapshot_may_stay_in_memory(tmp_path: Path) -> None:
    """sync="snapshot" asks the disk for nothing while it appends."""
    calls: list[int] = []
    real = os.fsync
    with pytest.MonkeyPatch.context() as watch:
        watch.setattr(os, "fsync", lambda handle: (calls.append(handle), real(handle))[1])
        for sync, wanted in (("snapshot", 0), ("record", 3)):
            with Journal(tmp_path / sync, 20_000, sync) as journal:
                calls.clear()
                for i in range(3):
                    journal.append(i)
                assert len(calls) == wanted
                journal.snapshot("all")
                assert len(calls) > wanted + 2
