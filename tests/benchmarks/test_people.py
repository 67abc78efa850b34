"""The benchmark of people whose device learns: a small case on real data, and the page with the committed ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.live import experiment, page, ways
from benchmarks.live.__main__ import KEPT
from benchmarks.live.habits import habits
from benchmarks.live.motions import CLEAR, LENGTH, motions
from benchmarks.live.people import RECIPES
from benchmarks.readme import between
from tests.data.folders import shared

ROOT = Path(__file__).parents[2]


def short(part: str) -> dict[str, Any]:
    """The recipe's own hyper-parameters, for fewer updates."""
    found = habits(part)
    return found | ({"updates": 80} if part.endswith("model") else {"steps": 10})


def test_every_way_of_one_speaker_within_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    shared("fsdd")
    monkeypatch.setattr(ways, "habits", short)
    recipe = RECIPES["speech"]
    person = recipe.person(1, 7, False)
    own = {tuple(x.ravel()) for x in person.own[0]}
    assert not own & {tuple(x.ravel()) for part in (person.others, person.anchor, person.test) for x in part[0]}
    assert np.bincount(person.own[1]).tolist() == [5] * 10
    found = {outcome.way: outcome for outcome in ways.ways(recipe, person, 7)}
    assert tuple(found) == ways.WAYS
    assert {len(o.right) for o in found.values()} == {450}
    whole = found["whole"]
    assert whole.figures["arena"] + whole.figures["memory"] <= 64 << 10
    assert whole.right.mean() > found["frozen"].right.mean()


def test_windows_of_movement_are_told_by_their_middle() -> None:
    shared("har_sp_sw_23subjects")
    found = motions()
    assert found.x.shape[1:] == (6, LENGTH)
    assert found.x.dtype == np.float32
    assert set(found.who) == set(range(23))
    assert 0.75 < found.clear.mean() < 0.85 < CLEAR
    seated = found.x[(found.y == 0) & found.clear]
    moving = found.x[(found.y == 2) & found.clear]
    assert np.linalg.norm(seated[:, :3].mean(2), axis=1).mean() * 5 == pytest.approx(9.81, rel=0.05)  # gravity
    assert seated[:, 3:].std(2).mean() < moving[:, 3:].std(2).mean() / 2  # what lies around moves too


def test_own_walks_come_before_those_that_are_asked_and_choosing_never_sees_these() -> None:
    shared("har_sp_sw_23subjects")
    person, choosing = (RECIPES["activity"].person(3, 0, whether) for whether in (False, True))
    asked = {window.tobytes() for window in person.test[0]}
    for part in (person.others, person.anchor, person.own, choosing.own, choosing.test):
        assert not asked & {window.tobytes() for window in part[0]}
    assert {window.tobytes() for window in choosing.own[0]} < {window.tobytes() for window in person.own[0]}
    assert len(person.clear) == len(person.test[1]) > person.clear.sum() > 0


def test_the_table_counts_people_and_seeds() -> None:
    cases = [json.loads(path.read_text()) for path in sorted(KEPT.glob("activity-0-*.json"))]
    found = experiment.summary(cases)["activity"]
    assert (found["people"], found["seeds"]) == (23, 1)
    each = [experiment.right(c, "whole").mean() for c in cases]
    assert found["ways"]["whole"]["mean"] == pytest.approx(np.mean(each))
    assert found["ways"]["whole"]["worst"] == min(each)
    every = [experiment.right(c, "whole", True) for c in cases]
    assert [len(e) for e in every] == [c["tests"] for c in cases]
    assert found["ways"]["whole"]["all"] == pytest.approx(np.mean([e.mean() for e in every]))
    fewer = [experiment.right(c, "frozen").sum() - experiment.right(c, "whole").sum() for c in cases]
    assert found["ways"]["whole"]["lost"] == max(fewer)
    with pytest.raises(ValueError, match="several hyper-parameters"):
        experiment.summary([*cases, {**cases[0], "habits": {}}])


def test_the_page_shows_the_committed_cases() -> None:
    cases = [json.loads(path.read_text()) for path in sorted(KEPT.glob("*.json"))]
    assert between((ROOT / page.DOCS).read_text(), "personal") == page.table(cases), (
        "run python -m benchmarks.live --show --write"
    )
