"""int8 on real data: the bars are judged, the page is of the committed cases, and one real case is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import selvedge as sv
from benchmarks.readme import between
from benchmarks.targets_real import page
from benchmarks.targets_real.__main__ import KEPT, main
from benchmarks.targets_real.experiment import TASKS, case
from benchmarks.targets_real.layers import stepwise
from selvedge import ir
from selvedge.artifact.targets import TARGETS
from tests.data.folders import shared

ROOT = Path(__file__).parents[2]
LAYERS = {"layers": 8, "worst": 1, "values": 1000, "off": 5, "kinds": {"int8_conv2d": 1}, "refused": {}}


def made_up(same: int, theirs: int, **other: Any) -> dict[str, Any]:
    right = {"ours": 900, "theirs": theirs, "simulated": 901, "float": 905}
    told = {"samples": 1000, "same": same, "margin": 3, "apart": 4, "right": right, "layers": LAYERS}
    return {"task": "mnist", "target": "onnx", **told, **other}


def test_both_bars_are_judged() -> None:
    told = page.table([made_up(990, 903)])
    assert "| mnist | onnx | 1,000 | 99.00 % | 3 steps | 90.30 % | +0.30 | +0.20 | 1 step | 0.5 % |" in told
    assert told.endswith(
        "1 of 1 keep both: the same top answer for 99 % and more, and accuracy within 0.3 points of ours."
    )
    assert "98.90 % **missed**" in page.table([made_up(989, 903)])
    assert "| -0.40 **missed** |" in page.table([made_up(990, 896)])
    assert "0 of 2 keep both" in page.table([made_up(990, 896), made_up(989, 900, target="tvm")])
    bare = {n: v for n, v in made_up(980, 900, task="pictures").items() if n != "right"}
    told = page.table([made_up(990, 903), bare])
    assert told.endswith("of ours. Of what has no labels 0 of 1 have the same top answer for 99 % and more.")
    assert "1 of 1 keep both" in told
    assert page.table([]) == "nothing was measured"


def test_what_was_refused_is_quoted() -> None:
    lacks = {**LAYERS, "refused": {"int8_softmax": "int8_softmax in TVM at /me/n.py:2 is not supported"}}
    told = page.table([made_up(990, 903, layers=lacks), {"task": "har", "target": "tvm", "failed": "no | compiler"}])
    assert "1 step, int8_softmax refused [2] |" in told
    assert "| har | tvm | failed [1] |" in told
    assert "1. no \\| compiler\n2. int8_softmax in TVM at n.py:2 is not supported\n" in told
    assert "1 of 2 keep both" in told


def test_the_page_is_of_the_committed_cases() -> None:
    cases = page.read(KEPT)
    assert between((ROOT / page.DOCS).read_text(), page.MARK) == page.table(cases)
    assert {(c["task"], c["target"]) for c in cases} <= {(task, target) for task in TASKS for target in TARGETS}


def test_a_real_case_is_measured() -> None:
    shared("har_sp_sw_23subjects")
    found = case("har", "onnx", samples=200, epochs=1)
    assert found["samples"] == 200
    assert found["same"] >= 198
    assert found["layers"]["layers"] == 5
    assert found["layers"]["worst"] <= 1
    assert set(found["right"]) == {"ours", "theirs", "float", "simulated"}
    assert found["right"]["ours"] > 60


def test_a_published_network_knows_that_digits_are_no_keywords() -> None:
    """So its inputs are computed as it was taught: of other cepstra it makes anything."""
    shared("fsdd")
    shared("mlperf_tiny_models")
    found = case("keywords", "c", samples=60)
    assert found["samples"] == found["same"] == 60
    assert found["right"]["ours"] >= 55
    assert "simulated" not in found["right"]
    assert found["layers"]["worst"] == 0
    assert "| keywords | c | 60 | 100.00 % |" in page.table([found])


@pytest.mark.parametrize(("target", "worst"), [("c", 0), ("onnx", 1)])
def test_layers_alone_show_where_a_target_rounds_otherwise(target: str, worst: int, tmp_path: Path) -> None:
    """Every odd sum is a half here, which we round away from zero and ONNX Runtime to even."""
    rng, spec = np.random.default_rng(0), ir.Spec((4, 6), "int8", ir.Quant((0.5,)))
    x = ir.input_leaf("x", spec)
    w = ir.constant(rng.integers(-9, 9, (5, 6)).astype(np.int8), quant=ir.Quant((1.0,)))
    q = ir.Quant((1.0,), (3,))
    y = ir.apply("int8_linear", x, w, quants=(spec.quant, w.spec.quant), quant=q, activation="none")
    network = sv.Network(ir.Graph({"x": x}, {}, {"output": y}), "net")
    found = stepwise(network, [rng.integers(-5, 6, (4, 6)).astype(np.int8)], target, tmp_path)
    assert (found["layers"], found["worst"], found["kinds"]) == (1, worst, {"int8_linear": worst})
    assert (found["off"] > 0) == bool(worst)
    assert found["values"] == 20
    assert not found["refused"]


def test_a_wrong_word_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tasks", "cifar", "--show"]) == 2
    assert capsys.readouterr().err.startswith("benchmarks.targets_real: --tasks is cifar: give some of har, mnist")
