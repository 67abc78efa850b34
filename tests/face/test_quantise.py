"""``selvedge quantise`` as a user runs it: int8 beside float on their own model and data, or one line why not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
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
OTHERS = """
import numpy as np
import torch
from torch import nn

def yes():
    x = np.random.default_rng(0).normal(size=(80, 4)).astype("float32")
    return x, (x.sum(1) > 0).astype("float32")

class Flat(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.last = nn.Linear(4, 8), nn.Linear(8, 1)

    def forward(self, x):
        return self.last(torch.relu(self.hidden(x)))[:, 0]

def flat():
    torch.manual_seed(0)
    return Flat(), torch.zeros(1, 4)

def places():
    x = np.random.default_rng(0).normal(size=(60, 3, 8, 8)).astype("float32")
    return x, (x[:, 0] > 0).astype("int64") + (x[:, 1] > 1)

def map():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 1)), torch.zeros(1, 3, 8, 8)

def bytes_():
    x = np.random.default_rng(0).integers(0, 256, (90, 3, 8, 8)).astype("uint8")
    return x, np.arange(90) % 3

def classes():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 3)), torch.zeros(1, 3, 8, 8)
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


def test_an_onnx_file_of_operators_has_fewer_bytes(user: Path) -> None:
    sizes = []
    for form, name in (("qdq", "qdq.onnx"), ("operators", "operators.onnx")):
        result = run(*ON, "--out", name, "--form", form, cwd=user)
        assert (result.code, result.err) == (0, ""), result
        ops = {node.op_type for node in onnx.load(user / name).graph.node}
        assert ("QLinearConv" in ops, "Conv" in ops) == (form == "operators", form == "qdq")
        sizes.append((user / name).stat().st_size)
    assert sizes[1] < sizes[0]


def test_for_a_device_its_c_is_written_and_its_bytes_are_told(user: Path) -> None:
    result = run(*ON, "--device", "stm32f446", "--out", "firmware", "--samples", "64", cwd=user)
    assert (result.code, result.err) == (0, ""), result
    assert "times are planned for the device" in result.out
    assert "64 training samples set the ranges" in result.out
    assert "written to firmware" in result.out
    assert json.loads((user / "firmware" / "manifest.json").read_text())
    assert (user / "firmware" / "trained.c").exists()


@pytest.mark.parametrize(
    ("model", "data", "loss"),
    [("flat", "yes", "bce_with_logits"), ("map", "places", "cross_entropy"), ("classes", "bytes_", "cross_entropy")],
)
def test_other_outputs_have_their_figures_and_only_classes_a_top_answer(
    user: Path, model: str, data: str, loss: str
) -> None:
    (user / "others.py").write_text(OTHERS)
    result = run("quantise", f"others.py:{model}", "--data", f"others.py:{data}", "--loss", loss, "--json", cwd=user)
    assert (result.code, result.err) == (0, ""), result
    told = json.loads(result.out, parse_constant=pytest.fail)  # neither NaN nor Infinity
    losses = [row["test"]["loss"] for row in told["rows"]]
    assert losses[1] == pytest.approx(losses[0], rel=0.1)
    assert (told["agreement"] is None) == (model != "classes")
    assert any("standardised by the training part" in note for note in told["notes"]) == (data == "bytes_")


def test_few_bits_layers_that_stay_float_and_few_samples(user: Path) -> None:
    result = run(*ON, "--weights", "int4", "--float", "4", "--samples", "20", "--allow-few", "--json", cwd=user)
    assert (result.code, result.err) == (0, ""), result
    told = json.loads(result.out)
    assert [row["name"] for row in told["rows"]] == ["float", "int4"]
    assert {row["layer"]: row["bits"] for row in told["layers"]["rows"] if row["layer"] in "04"} == {"0": 4, "4": 32}
    assert "weights of 4 bits take a byte each in native code and in files" in told["notes"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--samples", "0"), "--samples is 0: give a whole number >= 1"),
        (("--samples", "8"), "calibration is of 8 samples: give at least 32, or say --allow-few"),
        (("--float", "5"), "bits"),
        (("--observer", "eye"), "--observer is eye: give one of minmax, percentile, mse"),
        (("--form", "qop", "--out", "net.onnx"), "--form is qop: give one of qdq, operators"),
        (("--form", "operators", "--out", "net.tflite"), "--form is operators: it is that of an .onnx file"),
        (("--form", "operators"), "--form is operators: it is that of an .onnx file: give --out NAME.onnx"),
        (("--weights", "int3"), "--weights is int3: give one of int8, int4"),
        (("--out", "net.pt2"), "--out is net.pt2: end it in .tflite or .onnx, or name a folder"),
        (("--out", "firmware", "--plot", "firmware/a.html"), "--plot is firmware/a.html: it lies in --out"),
        (("--bits", "none.json"), "bits file is none.json: it cannot be read"),
        (("--device", "nrf52832", "--budget", "ram=300B"), "RAM does not fit: needs"),
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
