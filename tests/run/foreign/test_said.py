"""What a runtime writes to standard error past Python is heard, or at least stops nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from selvedge.run.foreign.said import said


def test_what_is_written_is_heard_and_does_not_come_out(capfd: pytest.CaptureFixture[str]) -> None:
    with said() as heard:
        os.write(2, b"why\n")
    os.write(2, b"after\n")
    assert heard() == "why\n"
    assert capfd.readouterr().err == "after\n"


def test_without_a_standard_error_or_a_place_for_a_file_it_goes_on(tmp_path: Path) -> None:
    """As a service runs, on a disk that is full."""
    code = """
import os, sys, tempfile
from selvedge.run.foreign.said import said
if sys.argv[1] == "closed":
    os.close(2)
    sys.stderr = None
else:
    tempfile.TemporaryFile = lambda: open("no/such/folder/file", "w+b")
with said() as heard:
    done = True
print(done, repr(heard()))
"""
    for what in ("closed", "full"):
        done = subprocess.run([sys.executable, "-c", code, what], capture_output=True, text=True, cwd=tmp_path)
        assert done.stdout == "True ''\n", done.stderr
