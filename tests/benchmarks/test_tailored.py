"""What choosing for learning gains: the rule by which both are taken, the cases that are kept, the page."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch

import selvedge as sv
from benchmarks.readme import between
from benchmarks.tailored import page
from benchmarks.tailored.__main__ import KEPT, main
from benchmarks.tailored.adapting import told, ways
from benchmarks.tailored.experiment import BESIDE, BOTH, LEARN, PREDICT, SEARCHED, picked
from benchmarks.tailored.summary import ORACLE, Difference, right, summary, taken_by
from benchmarks.tailored.tasks import TASKS, activity, newcomers, speech
from benchmarks.written import ROOT
from selvedge.make.searching.material import person

KIB = 1 << 10


def row(network: str, source: str, run: int, train: int, learnt: float, brier: float) -> dict[str, Any]:
    return {"network": network, "from": source, "run": run, "train": train, "learnt": learnt, "brier": brier}


NETWORKS = {"small": {"predicts": 5, "shipped": 0.8}, "large": {"predicts": 60, "shipped": 0.9}}
ROWS = [
    row("small", SEARCHED, 40, 90, 0.99, 0.02), row("large", SEARCHED, 62, 70, 0.9, 0.1),
    row("large", BESIDE, 90, 120, 0.95, 0.05), row("large", BESIDE, 90, 140, 1.0, 0.0),
    row("small", BESIDE, 10, 20, 1.0, 0.0),
]  # fmt: skip


def test_each_is_taken_by_its_own_budget() -> None:
    assert picked(ROWS, NETWORKS, LEARN, 64, 128, 250) == 0
    assert picked(ROWS, NETWORKS, PREDICT, 64, 128, 250) == 2  # too much to run, and not to train
    assert picked(ROWS, NETWORKS, BOTH, 64, 128, 250) == 1
    assert picked(ROWS, NETWORKS, PREDICT, 64, 100, 250) == 1
    assert picked(ROWS, NETWORKS, PREDICT, 59, 128, 250) == 4  # the large one does not predict in that
    assert picked(ROWS, NETWORKS, LEARN, 64, 80, 250) == 1
    assert picked(ROWS, NETWORKS, LEARN, 64, 60, 250) is None


def test_everyone_is_new_once() -> None:
    who = np.repeat(np.arange(23), 3)
    each = [newcomers(who, 6, fold) for fold in range(6)]
    assert sorted(p for part in each for p in part) == list(range(23))
    assert {len(part) for part in each} == {3, 4}


def test_a_difference_is_judged_over_people() -> None:
    found = Difference.of([0.03, 0.01, 0.02])
    assert (found.mean, found.error) == (pytest.approx(0.02), pytest.approx(0.01 / 3**0.5))
    assert (found.judged, found.better, found.worse) == ("better", 3, 0)
    assert Difference.of([0.3, -0.1]).judged == "open"
    assert Difference.of([-0.03, -0.01, -0.02]).judged == "worse"
    assert Difference.of([0.3]).judged == "open"


def test_every_way_keeps_the_bytes_to_train_and_no_two_are_the_same() -> None:
    device = sv.Device(name="board", ram="32KiB", flash="1MiB")
    torch.manual_seed(0)
    found = list(ways(activity(0.75).eval(), torch.zeros(1, 6, 100), device, 0.01))
    assert {"last:1", "bias", "*bias,11.weight"} <= {w.update for w in found}
    assert {w.update for w in found if w.bounded} == {"full"}
    assert any("[:" in w.update for w in found)
    assert all(w.plan.arena_bytes <= 32 * KIB for w in found)
    assert len({(w.bounded, w.plan.updated) for w in found}) == len(found)


def test_a_person_is_told_along_the_way_and_where_no_rate_helps_nothing_changes() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(40) % 5
    x = np.float32(rng.normal(size=(40, 6, 100)) * 0.1 + np.eye(6)[y][:, :, None])
    torch.manual_seed(0)
    plan = sv.plan(
        activity(0.25).eval(), torch.zeros(1, 6, 100), device=sv.Device(name="b", ram="32KiB", flash="1MiB"),
        optimizer=sv.SGD(0.01), norms="folded",
    )  # fmt: skip
    owner = person("1", x, y, np.arange(40))
    found = told(plan, sv.Limits(16 * KIB, 32 * KIB), [owner], 0.1, [20, 500], 0)
    assert found[500][0].mean() > 0.6 > found[0][0].mean()
    still = told(plan, sv.Limits(16 * KIB, 32 * KIB), [owner], 0.0, [20, 500], 0)
    assert all(np.array_equal(still[n][0], found[0][0]) for n in (0, 20, 500))


def test_the_networks_take_their_data() -> None:
    assert speech(0.5)(torch.zeros(2, 20, 32)).shape == (2, 10)
    assert activity(0.5)(torch.zeros(2, 6, 100)).shape == (2, 5)


def test_what_is_taken_is_what_the_search_returned() -> None:
    cases = page.read(KEPT)
    assert {c["task"] for c in cases} == set(TASKS)
    for case in cases:
        taken = taken_by(case, LEARN)
        bounded = ", bounded" if taken["bounded"] else ""
        assert case["returned"] == f"{taken['network']}; {taken['bits']}; learns {taken['update']}{bounded}"
        assert taken["run"] <= 64 * KIB
        for way in (LEARN, PREDICT, ORACLE):
            assert taken_by(case, way)["train"] <= 128 * KIB
        last = case["settings"]["learn"]
        of = {w: np.concatenate(right(case, taken_by(case, w), last)).mean() for w in (PREDICT, ORACLE)}
        assert of[ORACLE] >= of[PREDICT]
        assert not set(case["people"]) & set(case["judges"])


def test_the_page_and_its_pictures_show_the_committed_cases() -> None:
    cases = page.read(KEPT)
    text = (ROOT / page.DOCS).read_text()
    for name, made in page.TABLES.items():
        assert between(text, name) == made(cases), "run python -m benchmarks.tailored --show --write"
    for task in TASKS:
        assert (page.PICTURES / f"tailored-{task}.svg").read_text() == page.picture(cases, task)
    other = deepcopy(cases[0])
    other["settings"]["epochs"] += 1
    with pytest.raises(ValueError, match="several settings"):
        summary([*cases, other], other["task"])


def test_other_epochs_do_not_go_among_the_kept_cases(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as told:
        main(["--tasks", "har", "--seeds", "99", "--folds", "1", "--epochs", "3"])
    assert told.value.code == 2
    assert "give --out" in capsys.readouterr().err
