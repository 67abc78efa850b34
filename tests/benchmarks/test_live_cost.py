"""What holding a learner costs: a few turns of the real measurement, and the page with the committed figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.live_cost.__main__ import PAGE, main, table
from benchmarks.live_cost.study import JOURNALS, SAMPLES, _timed, study
from benchmarks.readme import between
from benchmarks.written import results


def test_every_part_is_measured() -> None:
    case = study("MLP 64-24-10", 3, 1)
    assert len(case["turns"]) == 3
    for turn in case["turns"]:
        assert turn["c"]["steps"] <= SAMPLES * 4
        assert turn["bare"] > 0
        assert all(turn["c"][part] > 0 for part in ("step", "predict", "replay"))
        for title in ("alone", *JOURNALS):
            found = turn[title]
            assert found["total"] > found["step"] + found["predict"] + found["replay"]
    assert any(turn["c"]["steps"] == SAMPLES * 4 for turn in case["turns"])


def test_what_is_not_there_once_is_not_timed(tmp_path: Path) -> None:
    file = tmp_path / "live.h"
    file.write_text("sv_live_batch(at, n);\nsv_live_batch(at, n);\n")
    with pytest.raises(ValueError, match="has no sv_live_batch"):
        _timed(file, "REPLAY", "sv_live_batch(at, n)")


def test_other_models_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tasks", "GPT"]) == 2
    assert main(["--turns", "1"]) == 2
    assert "give some of MLP 64-24-10" in capsys.readouterr().err


def test_the_page_shows_the_committed_figures() -> None:
    result = json.loads(results("live_cost").read_text())
    page = PAGE.read_text()
    for name, text in zip(("live_cost_c", "live_cost_python"), table(result), strict=True):
        assert between(page, name) == text, "run python -m benchmarks.live_cost --write"
