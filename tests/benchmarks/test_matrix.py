"""The table of targets: a cell runs or says with what it was refused, and the page is of the committed cells."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import selvedge as sv
from benchmarks.matrix import cell, page
from benchmarks.matrix.__main__ import KEPT, kept, main
from benchmarks.matrix.models import MODELS
from benchmarks.matrix.rounding import rounded
from benchmarks.readme import between
from benchmarks.targets_real.layers import LAYERS
from selvedge.artifact.targets import TARGETS
from selvedge.zoo import entry

ROOT = Path(__file__).parents[2]


def made(target: str, model: str, kind: str) -> dict[str, Any]:
    line = [sys.executable, "-W", "ignore", "-m", "benchmarks.matrix.cell", target, model, kind]
    done = subprocess.run(line, capture_output=True, text=True, check=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_cell_that_runs_says_how_near() -> None:
    assert float(made("litert-micro", "ds_cnn", "float")["ran"]) < 1e-5
    assert made("onnx", "ds_cnn", "int8")["ran"].split()[1] in ("step", "steps")
    trained = made("litert", "deep_autoencoder", "train")
    assert float(trained["ran"]) < 1e-4
    assert trained["loss"][1] < trained["loss"][0]


def test_a_cell_that_lacks_something_quotes_its_refusal() -> None:
    assert made("litert-micro", "ds_cnn", "train") == {"lacks": "litert-micro does not train"}
    assert made("onnx", "keyword_gru", "int8")["lacks"].startswith(
        "layer rnn: aten.zeros.default in int8 is not supported"
    )


def test_what_is_too_far_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell, "NEAR", 0.0)
    monkeypatch.setattr(cell, "OWN", 0)
    assert "of PyTorch's, 0e+00 allowed" in cell.cell("onnx", "ds_cnn", "float")["wrong"]


def test_int8_that_is_further_is_each_layers_rounding_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell, "APART", -1.0)
    found = cell.cell("onnx", "ds_cnn", "int8")
    assert found["ran"].endswith("steps")
    assert found["layers"] == 11
    assert 0 < found["mean"] <= 1.5 * found["rounding"]
    monkeypatch.setattr(cell, "ROUNDED", 0)
    assert "and rounding of its layers makes" in cell.cell("onnx", "ds_cnn", "int8")["wrong"]


def test_a_layer_that_is_more_than_a_step_off_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell, "APART", -1.0)

    def off(*_: object) -> dict[str, Any]:
        return {"layers": 11, "worst": 2, "refused": {}, "rates": [0.1] * 11}

    monkeypatch.setattr(cell, "stepwise", off)
    assert cell.cell("onnx", "ds_cnn", "int8")["wrong"].endswith("a layer alone: 2 steps, 0 refused")


def test_a_layer_is_off_as_often_as_it_is_told_and_never_by_more_than_a_step() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(32, 4096), torch.nn.ReLU())
    network = sv.network(
        sv.quantise(model, torch.randn(64, 32), wanted_agreement=0.0), torch.zeros(1, 32), floats=False
    )
    x = np.random.default_rng(0).integers(-128, 128, (1, 32)).astype(np.int8)
    layers = sum(node.op in LAYERS for node in network.graph.nodes())
    draw = np.random.default_rng(0)
    exact = rounded(network, x, [0.0] * layers, draw).astype(int)
    assert np.array_equal(exact, sv.compile(sv.plan_inference(network)).predict(x))
    away = rounded(network, x, [0.25] * layers, draw) - exact
    assert np.abs(away).max() == 1
    inner = np.abs(exact) < 127
    assert np.count_nonzero(away[inner]) / inner.sum() == pytest.approx(0.25, abs=0.03)


def test_the_page_is_of_the_committed_cells_and_none_is_wrong() -> None:
    cells = kept(KEPT)
    assert between((ROOT / page.DOCS).read_text(), "matrix") == page.table(cells)
    assert not [c for c in cells if "wrong" in c]
    assert all(c["mean"] <= cell.ROUNDED * c["rounding"] for c in cells if "rounding" in c)
    assert not [c for c in cells if c["target"] not in TARGETS or c["model"] not in MODELS]
    for model in MODELS:
        entry(model.partition("?")[0])


def test_a_note_has_a_number_and_no_machines_paths() -> None:
    refused = {"target": "onnx", "model": "char_gru", "kind": "float", "lacks": "gru at /home/me/net.py:3 | unroll it"}
    told = page.table([refused, {**refused, "kind": "train"}, {**refused, "kind": "int8", "ran": "2 steps"}])
    assert "lacks [1] / 2 steps / lacks [1]" in told
    assert told.endswith("1. lacks: gru at net.py:3 \\| unroll it")
    assert "0 cells ran" not in told


def test_a_wrong_word_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--targets", "onyx", "--show"]) == 2
    assert capsys.readouterr().err.startswith("benchmarks.matrix: --targets is onyx: give some of c, onnx")
