"""The benchmark of people whose device learns: a small case on real data, and the page with the committed ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.live import experiment, page
from benchmarks.live.__main__ import KEPT
from benchmarks.live.people import RECIPES
from benchmarks.live.ways import WAYS, ways
from benchmarks.readme import between
from tests.data.folders import shared

ROOT = Path(__file__).parents[2]


def test_every_way_of_one_speaker_within_the_bytes() -> None:
    shared("fsdd")
    recipe = replace(RECIPES["speech"], train=80)
    person = recipe.person(1, 7)
    own = {tuple(x.ravel()) for x in person.own[0]}
    assert not own & {tuple(x.ravel()) for part in (person.others, person.anchor, person.test) for x in part[0]}
    assert np.bincount(person.own[1]).tolist() == [5] * 10
    found = {outcome.way: outcome for outcome in ways(recipe, person, 7)}
    assert tuple(found) == WAYS
    assert {len(o.right) for o in found.values()} == {450}
    whole = found["whole"]
    assert whole.figures["arena"] + whole.figures["memory"] <= 64 << 10
    assert whole.right.mean() > found["frozen"].right.mean()


def test_the_table_counts_people_and_seeds() -> None:
    cases = [json.loads(path.read_text()) for path in sorted(KEPT.glob("activity-0-*.json"))]
    found = experiment.summary(cases)["activity"]
    assert (found["people"], found["seeds"]) == (23, 1)
    each = [experiment.right(c, "whole").mean() for c in cases]
    assert found["ways"]["whole"]["mean"] == pytest.approx(np.mean(each))
    assert found["ways"]["whole"]["worst"] == min(each)
    fewer = [experiment.right(c, "frozen").sum() - experiment.right(c, "whole").sum() for c in cases]
    assert found["ways"]["whole"]["lost"] == max(fewer)
    with pytest.raises(ValueError, match="several hyper-parameters"):
        experiment.summary([*cases, {**cases[0], "habits": {}}])


def test_the_page_shows_the_committed_cases() -> None:
    cases = [json.loads(path.read_text()) for path in sorted(KEPT.glob("*.json"))]
    assert between((ROOT / page.DOCS).read_text(), "personal") == page.table(cases), (
        "run python -m benchmarks.live --show --write"
    )
