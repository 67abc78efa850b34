"""``selvedge compare`` as a user runs it: every way side by side, on their own model and data; killed, and resumed."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

import selvedge as sv

from .command import Result, run, start

USER = """
import torch
from sklearn.datasets import load_digits
from torch import nn

def data():
    digits = load_digits()
    return (digits.images[:600, None] / 16).astype("float32"), digits.target[:600]

def net(classes=10):
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, 2), nn.ReLU(),
        nn.Flatten(), nn.Linear(144, classes),
    )

def small(classes=10):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))

class GRU(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.last = nn.GRU(8, 12, batch_first=True), nn.Linear(12, 10)

    def forward(self, x):
        return self.last(self.gru(x[:, 0])[0][:, -1])
"""
ON = ("compare", "own.py:net", "--data", "own.py:data", "--device", "nrf52832")
WAYS = ("--epochs", "3", "--ways", "float,ptq,pruned+qat", "--json")


@pytest.fixture
def user(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(USER)
    return tmp_path


def figures(result: Result) -> Any:
    """Without the times of this machine."""
    assert (result.code, result.err) == (0, ""), result
    told = json.loads(result.out, parse_constant=pytest.fail)  # neither NaN nor Infinity
    for row in told["rows"]:
        del row["here"], row["seconds_to_produce"]
        for one in row["seeds"]:
            del one["seconds"]
    return told


def ended(user: Path, number: int, piece: str) -> Result:
    """The command, hit by signal ``number`` as soon as a file of the pattern ``piece`` is there."""
    process = start(*ON, *WAYS, "--seeds", "1", "--work", "kept", cwd=user)
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and process.running() and not list((user / "kept").glob(piece)):
        time.sleep(0.005)
    os.kill(process.pid, number)
    return process.result()


def test_a_killed_comparison_ends_with_the_figures_of_an_uninterrupted_one(user: Path) -> None:
    whole = figures(run(*ON, *WAYS, "--seeds", "1", cwd=user))
    first = ended(user, signal.SIGINT, "stage-half-float-0-*.json")
    assert first.code == 130
    assert first.out == ""
    said = "selvedge: interrupted: what is finished is in kept; the same line goes on from there"
    assert first.err.splitlines() == [said]
    second = ended(user, signal.SIGKILL, "way-ptq-0-*.json")
    assert second.code == -signal.SIGKILL
    kept = {p.name: p.read_bytes() for p in (user / "kept").glob("*.json")}
    assert any(name.startswith("way-ptq-0-") for name in kept)
    assert not any(name.startswith("way-pruned+qat-0-") for name in kept)
    assert figures(run(*ON, *WAYS, "--seeds", "1", "--work", "kept", cwd=user)) == whole
    for name, data in kept.items():
        assert (user / "kept" / name).read_bytes() == data, f"{name} was made again"
    other = run(*ON, *WAYS, "--seeds", "1", "--work", "kept", "--lr", "0.002", cwd=user)
    assert other.code == 2
    said = "it is of a comparison with lr 0.003, not 0.002: name another folder, or call as then"
    assert other.err == f"selvedge: --work is kept: {said}\n"


def test_a_table_a_page_and_files(user: Path) -> None:
    ways = "float,ptq,pruned+distilled+ptq,efficient"
    more = ("--efficient", "own.py:small", "--plot", "page.html", "--out", "nets", "--work", "kept")
    result = run(*ON, "--epochs", "3", "--seeds", "1", "--ways", ways, *more, cwd=user)
    assert (result.code, result.err) == (0, ""), result
    lines = result.out.splitlines()
    assert lines[0] == "own.py:data: 600 samples, 10 classes as [1, 8, 8]; 420 train, 90 validation, 90 test"
    for way in (*ways.split(","), "guessing"):
        assert any(line.split()[:1] == [way] for line in lines), way
    assert "efficient is own.py:small" in lines
    page = (user / "page.html").read_text()
    for way in ways.split(","):
        assert f"<td>{way}</td>" in page
        assert len(re.findall(rf"(?<![+\w]){re.escape(way)}: ", page)) == 2  # a point in each picture
    assert {p.name for p in (user / "nets").iterdir()} == {
        "float.onnx", "ptq.tflite", "pruned+distilled+ptq.tflite", "efficient.onnx",
    }  # fmt: skip
    sv.load_tflite(user / "nets" / "ptq.tflite")
    told = figures(run(*ON, "--epochs", "3", "--seeds", "1", "--ways", ways, *more[:2], *more[-2:], "--json", cwd=user))
    assert [row["way"] for row in told["rows"]] == ways.split(",")
    assert all(len(row["seeds"]) == 1 and row["refused"] == "" for row in told["rows"])


def test_what_cannot_be_done_is_a_row_with_its_reason(user: Path) -> None:
    line = ("compare", "own.py:GRU", *ON[2:], "--epochs", "1", "--seeds", "1", "--ways", "float,ptq,narrow,pruned+ptq")
    told = figures(run(*line, "--json", cwd=user))
    assert [row["refused"][:40] for row in told["rows"]] == [
        "",
        "layer gru: aten.zeros.default in int8 is",
        "pruning this model is not supported: no ",
        "pruning this model is not supported: no ",
    ]
    assert told["rows"][0]["costs"]["file"] == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--epochs", "0"), "--epochs is 0: give a whole number >= 1"),
        (("--macs", "1"), "--macs is 1.0: give the share of multiplications that stays, as 0.5"),
        (("--lr", "nan"), "--lr is nan: give a number above 0, as 0.003"),
        (("--ways", "float,magic"), "--ways is magic: join words of float, pruned, narrow, efficient, given, "),
        (("--ways", "given"), "--ways is given: the model is not said to be trained: say so, or leave it out"),
        (("--work", "own.py"), "--work is own.py: it is a file: name a folder"),
        (("--work", "."), "--work is .: it holds other things: name an empty or a new one"),
        (("--efficient", "net.onnx"), "--efficient is net.onnx: a file is not trained: give zoo:NAME, or file.py:"),
        (("--loss", "mse", "--plot", "page.svg"), "--plot is page.svg: it is a page with pictures: end it in .html"),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_is_written(user: Path, arguments: tuple[str, ...], said: str) -> None:
    result = run(*ON, *arguments, cwd=user)
    assert result.code == 2
    assert result.out == ""
    (line,) = result.err.splitlines()
    assert line.startswith(f"selvedge: {said}"), line
    assert {p.name for p in user.iterdir()} <= {"own.py", "__pycache__"}
