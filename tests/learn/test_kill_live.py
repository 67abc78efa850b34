"""``kill -9`` at any moment: the learner that goes on ends as one that was never cut off, bit for bit."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.kill_live import run

KILLS = int(os.environ.get("SELVEDGE_EXAMPLES", "10"))


def test_a_killed_learner_learns_the_same(tmp_path: Path) -> None:
    found = run(KILLS, seed=2, folder=tmp_path, samples=500)
    assert found["kills"] >= KILLS
    assert found["commits"] > 1  # the enrolment's, and of what was learnt
    assert found["steps"] > 500
