"""The benchmark of quantising: one small case on real data, and what its table says of made-up ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.quantise.experiment import case, summary, table
from benchmarks.quantise.sizes import MODELS, SCALES, shown, size
from tests.data.folders import shared

TOLD = {"onnxruntime": 0.995, "simulation": 1.0, "onnx": 0.3, "tflite": 0.29}


def made_up(seed: int, lost: float) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    right = rng.random(2000) < 0.9
    other = right & (rng.random(2000) >= lost)
    rows = [
        {"way": way, "epoch": 1, "ratio": 1.0, "best": text, "last": text, "runtimes": told}
        for way, text, told in (("float", _text(right), {}), ("PTQ minmax", _text(other), TOLD))
    ]
    return {"task": "t", "seed": seed, "fold": 0, "samples": [1, 1, 2000], "dummy": 0.1, "rows": rows, "seconds": 1.0}


def _text(right: np.ndarray) -> str:
    return "".join("01"[int(r)] for r in right)


def test_what_is_lost_is_paired_and_the_bar_is_judged() -> None:
    good, bad = ([made_up(s, lost) for s in range(5)] for lost in (0.001, 0.05))
    row = summary(good)["t"]["ways"]["PTQ minmax"]["best lost"]
    assert row["low"] <= row["mean"] <= row["high"]
    assert row["mean"] == pytest.approx(0.0009, abs=0.0006)
    assert "≤ 0.5: met" in table(summary(good))
    assert "≤ 0.5: missed" in table(summary(bad))
    assert "| t | PTQ minmax | 99.50 | 99.50 | 100.00 | 100.00 | 0.300 | 0.290 |" in table(summary(good))


def test_one_case_has_every_way() -> None:
    shared("har_sp_sw_23subjects")
    found = case("har", 0, 0, epochs=2)
    assert [r["way"] for r in found["rows"]] == [
        "float", "PTQ minmax", "PTQ mse", "PTQ w4a8", "PTQ per tensor", "QAT int8", "QAT w4a8",
    ]  # fmt: skip
    assert all(len(r["best"]) == len(r["last"]) == found["samples"][2] for r in found["rows"])
    assert found["rows"][1]["ratio"] < 0.3
    told = {r["way"]: r["runtimes"] for r in found["rows"] if r["runtimes"]}
    assert told.keys() == {"PTQ minmax", "QAT int8"}
    assert min(each[key] for each in told.values() for key in ("onnxruntime", "simulation")) >= 0.99


def test_the_page_shows_the_sizes_of_this_code() -> None:
    lines = shown().splitlines()
    assert [line.split("`")[1] for line in lines if "`" in line] == [m for m in MODELS for _ in SCALES]
    for name, scales in (("ds_cnn", "channel"), ("resnet8", "tensor, equalised")):
        assert size(name, scales).line() in lines, "run `python -m benchmarks.quantise.sizes`"
