"""The benchmark of devices that learn together: small runs of its real ways, and the page with the committed cases."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.federated import page
from benchmarks.federated.__main__ import KEPT
from benchmarks.federated.experiment import case, habits, reached, summary
from benchmarks.federated.tasks import digits, plays
from benchmarks.federated.ways import WAYS
from benchmarks.federated.world import cut
from benchmarks.federated_scale import flower
from benchmarks.federated_scale import page as scale
from benchmarks.federated_scale.__main__ import PICTURE
from benchmarks.federated_scale.study import Case, measured
from benchmarks.federated_speeds import experiment as speeds
from benchmarks.federated_speeds import page as speeds_page
from benchmarks.federated_speeds.__main__ import KEPT as SPEEDS
from benchmarks.readme import between
from benchmarks.written import results
from selvedge.federate.layout import Layout
from tests.data.folders import shared

ROOT = Path(__file__).parents[2]


def test_each_device_has_as_many_digits_and_nobody_else_has_them() -> None:
    task = digits(0.1, 3)
    assert {len(y) for _, y in task.devices} == {13}
    each = [x.tobytes() for part in (*task.devices, task.validation, task.test) for x in part[0]]
    assert len(each) == 1797
    assert len(each) - len(set(each)) < 5  # the set itself holds some twice
    mixed = digits(0.3, 3)
    few, more = (np.mean([len(set(y.tolist())) for _, y in t.devices]) for t in (task, mixed))
    assert few < more < 6


def test_the_plays_have_99_speakers_whose_windows_have_one_part() -> None:
    shared("tinyshakespeare")
    task = plays(1)
    assert len(task.devices) == 99
    assert task.own is not None
    assert set(task.own) == set(range(99))
    np.testing.assert_array_equal(task.test[0][:, 1:], task.test[1][:, :-1])


def test_channels_that_roll_on_are_those_that_the_next_layer_reads() -> None:
    whole = Layout({"gru.weight_ih_l0": (24, 4), "fc.weight": (5, 8), "4.weight": (3, 32)})
    part = Layout({"gru.weight_ih_l0": (12, 4), "fc.weight": (5, 4), "4.weight": (3, 16)})
    cover = cut(whole, part, 0.75)
    assert cover.indices["gru.weight_ih_l0"][0] == (6, 7, 0, 1, 14, 15, 8, 9, 22, 23, 16, 17)
    assert cover.indices["fc.weight"] == ((), (6, 7, 0, 1))
    assert cover.indices["4.weight"][1] == (*range(24, 32), *range(8))  # four places a channel
    assert cover.part.shapes == part.shapes


def test_small_runs_of_the_ways() -> None:
    own = habits("digits-0.1") | {"rounds": 20, "every": 10, "whole_epochs": 4}
    found = {way: case("digits-0.1", 101, way, own) for way in WAYS if way != "alone"}
    plain, few = found["FedAvg"]["course"], found["FedAvg, few bytes"]["course"]
    assert plain["rounds"] == [10, 20]
    assert plain["up"][-1] > 4 * 4810 * 10 * 20
    assert 50 * few["up"][-1] < plain["up"][-1]
    assert few["joules"][-1] < plain["joules"][-1]
    for way in ("FedAvg", "centralised, PyTorch", "three widths, rolled"):
        assert found[way]["last"] > found["dummy"]["last"] + 0.1, way
    assert found["three widths, rolled"]["course"]["up"][-1] < plain["up"][-1]


def test_what_is_reached_is_no_single_leap() -> None:
    course = {"test": [0.1, 0.9, 0.1, 0.8, 0.8, 0.8]}
    assert reached(course, 0.8) == 5
    assert reached(course, 0.5) == 3
    assert reached(course, 0.9) is None


def test_a_round_of_devices_without_a_model_is_measured() -> None:
    cost = measured(Case(8, 2000, "float32", 2, threads=2, trace=True))
    assert len(cost.seconds) == len(cost.own) == len(cost.wall) == 2
    assert cost.traced is not None
    assert cost.traced > 4 * 2000
    assert 4 * 2000 < cost.up < 4 * 2000 + 1000


def test_a_thousand_devices_take_no_vector_each() -> None:
    few, many = (measured(Case(n, 10_000, "top:0.03+int4", 1, trace=True)).traced for n in (50, 350))
    assert few is not None
    assert many is not None
    assert (many - few) / 300 < 0.1 * 4 * 10_000, "a name, a key, and a task under way"


def test_flower_that_is_not_there_is_a_failed_row(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(flower.PYTHON, raising=False)
    assert flower.PYTHON in flower.beside(10, 1000, 1)["failed"]
    monkeypatch.setenv(flower.PYTHON, sys.executable)  # which has no flwr
    assert "No module named 'flwr'" in flower.beside(10, 1000, 1)["failed"]


def test_speeds_gain_nothing_that_is_not_there() -> None:
    def course(seconds: float, up: int) -> dict[str, Any]:
        return {"moves": [5, 10, 15, 20], "seconds": [seconds * i for i in range(1, 5)],
                "up": [up * i for i in range(1, 5)], "test": [0.5, 0.9, 0.9, 0.9]}  # fmt: skip

    ways = list(speeds.WAYS)
    cases = [
        {"task": "1", "seed": 0, "way": way, "course": course(*of), "heard": [1, 0, 2], "seconds": 1.0}
        for way, of in zip(ways, [(7200, 10), (3600, 13), (900, 10), (3600, 30), (1800, 10)], strict=True)
    ]
    found = speeds.summary(cases)["1"]
    assert [found[w]["hours"] for w in ways] == [[8.0], [4.0], [1.0], [4.0], [2.0]]
    assert found[ways[2]]["faster"] == [8.0]
    assert found[ways[2]]["silent"] == [1]
    assert speeds_page.gains({"1": found})[0].startswith("sigma 1, 13 busy: FedBuff is there 4.00 times as fast")
    never = [{**c, "course": {**c["course"], "test": [0.1] * 4}} if c["way"] == ways[2] else c for c in cases]
    assert "no seed in which both" in speeds_page.gains(speeds.summary(never))[0]
    assert "never" in speeds_page.table(never)


def test_the_page_and_its_picture_show_the_committed_speeds() -> None:
    cases = speeds_page.read(SPEEDS)
    assert between((ROOT / speeds_page.DOCS).read_text(), "federated-speeds") == speeds_page.table(cases)
    assert speeds_page.PICTURE.read_text() == speeds_page.picture(cases)


def test_cases_of_other_hyper_parameters_are_refused() -> None:
    cases = page.read(KEPT)
    with pytest.raises(ValueError, match="other hyper-parameters"):
        summary([{**cases[0], "habits": {}}])


def test_the_page_shows_the_committed_costs() -> None:
    result = json.loads(results("federated_scale").read_text())
    assert between((ROOT / page.DOCS).read_text(), "federated-scale") == scale.table(result)
    assert PICTURE.read_text() == scale.picture(result)


def test_the_page_and_its_pictures_show_the_committed_cases() -> None:
    cases = page.read(KEPT)
    assert between((ROOT / page.DOCS).read_text(), "federated") == page.table(cases), (
        "run python -m benchmarks.federated --show --write"
    )
    for task in {c["task"] for c in cases if "course" in c}:
        assert (page.PICTURES / f"federated-{task}.svg").read_text() == page.picture(cases, task)
