"""Masked sums beside SecAgg+: what is counted is what was sent, and a sum that is wrong is no figure."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.federated.peer import VARIABLE
from benchmarks.masked import experiment, ours, page
from benchmarks.masked.__main__ import KEPT
from benchmarks.masked.experiment import WHO, Cohort
from benchmarks.readme import between
from selvedge.federate.keys import SIGNATURE
from selvedge.federate.masking.group import Group

ROOT = Path(__file__).parents[2]
SMALL = Cohort(6, 400, 1, neighbours=6)


def test_a_small_cohort_in_groups() -> None:
    found = ours.measured(7, 400, 1, 8, 4)
    assert len(found["client"]) == 6
    assert len(found["groups"]) == 2
    assert found["server"] == pytest.approx(sum(found["groups"]))
    assert found["width"] == 8 + 2
    # With its head and its signature.
    assert 400 * 10 / 8 + SIGNATURE < found["vector"] < 400 * 10 / 8 + 2 * SIGNATURE
    assert found["up"] > found["vector"] + 64


def test_a_sum_that_is_not_that_of_the_survivors_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    total = Group.total

    def wrong(self: Group) -> tuple[np.ndarray, tuple[str, ...]]:
        numbers, who = total(self)
        return numbers + np.eye(1, len(numbers), dtype=np.int64)[0], who

    monkeypatch.setattr(Group, "total", wrong)
    with pytest.raises(RuntimeError, match="not that of the survivors"):
        ours.measured(4, 50, 0, 8, 4)


def test_a_group_that_loses_too_many_is_no_figure() -> None:
    with pytest.raises(RuntimeError, match="and 4 must"):
        ours.measured(6, 50, 3, 8, 6)


def test_without_flwr_there_is_a_failed_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setitem(experiment.COHORTS, SMALL.name, SMALL)
    cases = [experiment.case(SMALL.name, 0, fold) for fold in range(2)]
    assert "failed" not in cases[0]
    assert VARIABLE in cases[1]["failed"]
    text = page.table(cases)
    assert "| 6 | 400 | 1 | ours | 5 |" in text
    assert f"{WHO[1]} | 5 | failed: {VARIABLE}" in text


@pytest.mark.skipif(VARIABLE not in os.environ, reason="needs a Python with flwr: make flower-test sets it")
def test_flowers_own_code_comes_to_the_same_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(experiment.COHORTS, SMALL.name, SMALL)
    mine, theirs = (experiment.case(SMALL.name, 0, fold) for fold in range(2))
    assert "failed" not in theirs, theirs
    assert len(theirs["client"]) == len(mine["client"]) == 5
    assert theirs["off"] < 1e-5
    assert 8 * 400 < theirs["vector"] < 8 * 400 + 700
    assert mine["vector"] < theirs["vector"] / 5


def test_the_page_shows_the_committed_cases() -> None:
    assert between((ROOT / page.DOCS).read_text(), page.MARK) == page.table(page.read(KEPT)), (
        "run python -m benchmarks.masked --show --write"
    )
