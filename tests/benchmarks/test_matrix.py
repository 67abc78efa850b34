"""The table of targets: a cell runs or says with what it was refused, and the page is of the committed cells."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.matrix import cell, page
from benchmarks.matrix.__main__ import KEPT, kept, main
from benchmarks.matrix.models import MODELS
from benchmarks.readme import between
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


def test_the_page_is_of_the_committed_cells_and_none_is_wrong() -> None:
    cells = kept(KEPT)
    assert between((ROOT / page.DOCS).read_text(), "matrix") == page.table(cells)
    assert not [c for c in cells if "wrong" in c]
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
