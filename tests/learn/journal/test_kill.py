"""``kill -9`` at any moment: what is found is a prefix that has every append that returned."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.kill_journal import run

KILLS = int(os.environ.get("SELVEDGE_EXAMPLES", "30"))


def test_a_kill_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    found = run(KILLS, seed=1, folder=tmp_path)
    assert found["records"] > KILLS // 2
    assert found["with a snapshot"] > KILLS // 2
