"""The benchmark of enrolment: one newcomer on real data, by the benchmark's own code, and the page with its cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from benchmarks.enrolment import experiment, newcomers, page
from benchmarks.enrolment.__main__ import KEPT, main
from benchmarks.enrolment.newcomers import FEW, KINDS
from benchmarks.enrolment.ways import WAYS
from benchmarks.live.habits import habits
from benchmarks.readme import between
from tests.data.folders import shared

ROOT = Path(__file__).parents[2]


def rows(x: np.ndarray) -> set[bytes]:
    return {sample.tobytes() for sample in x}


@pytest.mark.parametrize("name", KINDS)
def test_a_newcomer_is_in_nothing_that_made_the_model(name: str) -> None:
    shared(KINDS[name].needs)
    found = KINDS[name].newcomer(1, 3)
    assert len(found.few) == FEW
    assert found.asked.shape[1:] == found.few.shape[1:] == KINDS[name].shape
    parts = [found.train[0], found.judges[0], found.test[0], found.few, found.asked]
    sets = [rows(x) for x in parts]
    sizes = [len(part) for part in sets]
    assert len(set.union(*sets)) == sum(sizes)
    assert sorted(set(found.train[1])) == list(range(found.known))
    assert {int(y) for part in (found.judges[1], found.test[1]) for y in part} <= set(range(found.known))


def test_every_way_of_one_newcomer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model made in fewer updates: what is promised holds all the same."""
    shared("har_sp_sw_23subjects")
    monkeypatch.setitem(cast(dict[str, Any], KINDS), "activity", replace(KINDS["activity"], train=150))
    case = experiment.case("activity", 7, 2)
    assert [r["way"] for r in case["rows"]] == list(WAYS)
    enrolled = experiment.row(case, "enrolled")
    assert enrolled["undone"]
    assert enrolled["arena"] < enrolled["ram"] == sum(enrolled["parts"].values())
    assert experiment.row(case, "frozen")["new"] < case["asked"] / 2
    assert experiment.others(case, "frozen") - experiment.others(case, "enrolled") <= 0.02
    assert experiment.others(case, "naive") < experiment.others(case, "enrolled")
    found = experiment.summary([case])["activity"]
    assert (found["accepted"], found["undone"], found["cases"]) == (int(enrolled["accepted"]), 1, 1)
    assert found["ways"]["enrolled"]["new"] == enrolled["new"] / case["asked"]
    with pytest.raises(ValueError, match="several hyper-parameters"):
        experiment.summary([case, {**case, "habits": {}}])


def test_the_committed_cases_are_of_these_settings_all_undone_and_the_page_shows_them() -> None:
    cases = page.read(KEPT)
    assert {c["kind"] for c in cases} == set(KINDS)
    for case in cases:
        assert (case["habits"], case["seed"] < newcomers.VALIDATION) == (habits("enrolment"), True)
        assert experiment.row(case, "enrolled")["undone"]
    assert between((ROOT / page.DOCS).read_text(), page.NAME) == page.table(cases), (
        "run `python -m benchmarks.enrolment --show --write`"
    )


def test_epochs_have_no_meaning(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shared("har_sp_sw_23subjects")
    with pytest.raises(SystemExit) as stopped:
        main(["--tasks", "activity", "--seeds", "1", "--epochs", "2", "--out", str(tmp_path)])
    assert stopped.value.code == 2
    assert "--epochs has no meaning" in capsys.readouterr().err
