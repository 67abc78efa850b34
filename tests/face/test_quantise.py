"""``selvedge quantise`` as a user runs it: int8 beside float on their own model and data, or one line why not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import selvedge as sv

from .command import run

USER = """
import torch
from sklearn.datasets import load_digits
from torch import nn

def data():
    digits = load_digits()
    return (digits.images[:600, None] / 16).astype("float32"), digits.target[:600]

def trained(classes=10):
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, classes))
    x, y = map(torch.as_tensor, data())
    adam = torch.optim.Adam(net.parameters(), 1e-2)
    for step in range(60):
        adam.zero_grad()
        nn.functional.cross_entropy(net(x[:400]), y[:400]).backward()
        adam.step()
    return net.eval(), x[:1]
"""
ON = ("quantise", "own.py:trained", "--data", "own.py:data")


@pytest.fixture
def user(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(USER)
    return tmp_path


def test_int8_stands_beside_float_and_is_written(user: Path) -> None:
    result = run(*ON, "--out", "net.tflite", "--plot", "layers.html", "--json", cwd=user)
    assert (result.code, result.err) == (0, ""), result
    told = json.loads(result.out)
    ways = {row["name"]: row for row in told["rows"]}
    assert ways["float"]["test"]["accuracy"] > 0.8
    assert abs(ways["int8"]["test"]["accuracy"] - ways["float"]["test"]["accuracy"]) <= 0.03
    assert told["agreement"] >= 0.97
    assert ways["int8"]["weights_bytes"] < 0.5 * ways["float"]["weights_bytes"]
    assert ways["int8"]["seconds"] > 0
    assert {row["layer"] for row in told["layers"]["rows"]} >= {"0", "4"}
    assert "<svg" in (user / "layers.html").read_text()
    read = sv.compile(sv.plan_inference(sv.load_tflite(user / "net.tflite")))
    assert read.predict(np.zeros((1, 8, 8, 1), np.float32)).shape == (1, 10)


def test_for_a_device_its_c_is_written_and_its_bytes_are_told(user: Path) -> None:
    result = run(*ON, "--device", "stm32f446", "--out", "firmware", "--samples", "64", cwd=user)
    assert (result.code, result.err) == (0, ""), result
    assert "times are planned for the device" in result.out
    assert "64 training samples set the ranges" in result.out
    assert "written to firmware" in result.out
    assert json.loads((user / "firmware" / "manifest.json").read_text())
    assert (user / "firmware" / "trained.c").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--samples", "0"), "--samples is 0: give a whole number >= 1"),
        (("--samples", "8"), "calibration is of 8 samples: give at least 32"),
        (("--observer", "eye"), "observer is eye: give one of minmax, percentile, mse"),
        (("--weights", "int3"), "weights is int3: give int8 or int4"),
        (("--bits", "none.json"), "bits file is none.json: it cannot be read"),
        (("--device", "nrf52832", "--budget", "ram=300B"), "RAM does not fit: needs"),
        (("--out", "own.py"), "--out is own.py: it is a file: name a directory"),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_is_written(user: Path, arguments: tuple[str, ...], said: str) -> None:
    result = run(*ON, *arguments, cwd=user)
    assert result.code == 2
    assert result.out == ""
    first = result.err.splitlines()[0]
    assert first.startswith(f"selvedge: {said}"), result.err
    assert "Traceback" not in result.err
    assert {p.name for p in user.iterdir()} <= {"own.py", "__pycache__"}
