"""``selvedge sparsify`` as a user runs it: zeros beside dense on their own model and data, or one line why not."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from .command import Result, run, start

USER = """
import torch
from sklearn.datasets import load_digits
from torch import nn

def data():
    digits = load_digits()
    return (digits.images[:600, None] / 16).astype("float32"), digits.target[:600]

def trained(classes=10):
    torch.manual_seed(0)
    last = nn.Linear(64, classes)
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 64), nn.ReLU(), last)
    x, y = map(torch.as_tensor, data())
    adam = torch.optim.Adam(net.parameters(), 1e-2)
    for step in range(60):
        adam.zero_grad()
        nn.functional.cross_entropy(net(x[:400]), y[:400]).backward()
        adam.step()
    return net.eval(), x[:1]
"""
ON = ("sparsify", "own.py:trained", "--data", "own.py:data")


@pytest.fixture
def user(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(USER)
    return tmp_path


def test_sparse_stands_beside_dense_and_its_state_is_written(user: Path) -> None:
    trained = ("--steps", "3", "--finetune-epochs", "45", "--rate", "0.01")
    given = ("--sparsity", "0.9", *trained, "--out", "net.pt", "--json")
    result = run(*ON, *given, cwd=user)
    assert (result.code, result.err) == (0, ""), result
    told = json.loads(result.out)
    dense, sparse = told["rows"]
    assert dense["test"]["accuracy"] > 0.8
    assert sparse["test"]["accuracy"] > dense["test"]["accuracy"] - 0.1
    assert sparse["weights_bytes"] < 0.5 * dense["weights_bytes"]
    assert told["sparsity"] == pytest.approx(0.9, abs=0.01)
    assert told["seconds_are"] == "measured here"
    for row in (dense, sparse):
        assert 0 < row["quartiles"][0] <= row["seconds"] <= row["quartiles"][1]
    assert told["speedup"] == dense["seconds"] / sparse["seconds"]
    assert any(layer["taken"] for layer in told["layers"])
    state = torch.load(user / "net.pt", weights_only=True)
    assert (state["3.weight"] == 0).float().mean() == pytest.approx(0.9, abs=0.01)


def test_for_a_device_its_c_is_written_and_a_pattern_is_kept(user: Path) -> None:
    given = ("--pattern", "1:4", "--keep", "0", "--device", "stm32f446", "--for-speed", "--out", "firmware")
    result = run(*ON, *given, cwd=user)
    assert (result.code, result.err) == (0, ""), result
    assert "1:4, 75.0% zeros" in result.out
    assert "times are planned for the device" in result.out
    assert "0: held, it is kept" in result.out
    assert "sv_sparse_rows(" in (user / "firmware" / "trained.c").read_text()


def test_what_zeros_would_slow_down_is_refused_with_both_times(user: Path) -> None:
    """Which layer is named goes by what this machine measures."""
    result = run(*ON, "--sparsity", "0.2", "--for-speed", cwd=user)
    assert (result.code, result.out) == (2, ""), result
    said = re.fullmatch(
        r"selvedge: sparse='for_speed' is not supported at [035] \(.+ to \d+\): at (?:19|20)\.\d% zeros ([\d.]+) ns "
        r"are expected on this-machine, dense ([\d.]+) ns; .+\n",
        result.err,
    )
    assert said, result.err
    assert float(said[1]) > float(said[2])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sparsity", "0.12", "--for-bytes"), "sparse='for_bytes' is not supported at"),
        (("--sparsity", "2"), "sparsity is 2.0: give the share of zeros"),
        ((), "sparsity is None: give the share of zeros"),
        (("--sparsity", "0.5", "--keep", "none"), "keep is none: the model has no layer of that name"),
        (("--sparsity", "0.5", "--steps", "0"), "--steps is 0: give a whole number >= 1"),
        (
            ("--sparsity", "0.5", "--steps", "4", "--finetune-epochs", "2"),
            "--steps is 4: there are 2 epochs to train in",
        ),
        (("--sparsity", "0.5", "--finetune-epochs", "-1"), "--finetune-epochs is -1: give a whole number >= 0"),
        (("--sparsity", "0.5", "--work", "kept"), "--work is kept: it keeps training: give --finetune-epochs"),
        (("--sparsity", "0.5", "--rate", "0"), "--rate is 0.0: give a learning rate above 0"),
        (("--sparsity", "0.5", "--for-speed", "--for-bytes"), "--for-bytes is given beside --for-speed"),
        (("--sparsity", "0.5", "--out", "net.onnx"), "--out is net.onnx: end it in .pt, or name a folder"),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_is_written(user: Path, arguments: tuple[str, ...], said: str) -> None:
    result = run(*ON, *arguments, cwd=user)
    assert (result.code, result.out) == (2, ""), result
    assert result.err.splitlines()[0].startswith(f"selvedge: {said}"), result.err
    assert len(result.err.splitlines()) == 1
    assert {p.name for p in user.iterdir()} <= {"own.py", "__pycache__"}


def ended(user: Path, line: tuple[str, ...], number: int, epochs: int) -> Result:
    """The command, hit by signal ``number`` as soon as ``epochs`` more of them are kept."""
    process = start(*line, cwd=user)
    seen: set[int] = set()
    until = time.monotonic() + 100
    while time.monotonic() < until and process.running() and len(seen) < epochs:
        seen |= {p.stat().st_mtime_ns for p in user.glob("kept/*.npz")}
        time.sleep(0.002)
    os.kill(process.pid, number)
    return process.result()


def test_a_killed_training_ends_with_the_weights_of_an_uninterrupted_one(user: Path) -> None:
    slow = USER.replace("last)\n", "last, Slow())\n").replace(
        "def trained",
        "class Slow(nn.Dropout):\n"
        "    def forward(self, x):\n"
        "        time.sleep(0.01 * self.training)\n"
        "        return super().forward(x)\n\n"
        "def trained",
    )
    (user / "own.py").write_text(slow.replace("import torch\n", "import time\nimport torch\n", 1))
    line = (*ON, "--sparsity", "0.8", "--steps", "2", "--criterion", "random", "--finetune-epochs", "8")
    kept = (*line, "--work", "kept", "--out", "net.pt")
    assert run(*line, "--out", "whole.pt", cwd=user).code == 0
    first = ended(user, kept, signal.SIGINT, 2)
    assert (first.code, first.out) == (130, ""), first
    said = "selvedge: interrupted: each finished epoch is in kept; the same line goes on from there"
    assert first.err.splitlines() == [said]
    assert ended(user, kept, signal.SIGKILL, 2).code == -signal.SIGKILL
    (state,) = (user / "kept").glob("*.npz")
    with np.load(state, allow_pickle=False) as held:
        assert 2 < int(held["epochs"]) < 8
    assert run(*kept, cwd=user).code == 0
    want, got = (torch.load(user / f"{name}.pt", weights_only=True) for name in ("whole", "net"))
    assert all(torch.equal(want[n], got[n]) for n in want)
    other = run(*kept, "--rate", "0.002", cwd=user)
    assert other.code == 2
    assert other.err.startswith("selvedge: --work is kept: it is of a sparsifying with rate 0.001, not 0.002"), (
        other.err
    )


def test_a_rate_that_diverges_is_one_line(user: Path) -> None:
    broken = (
        USER.replace("last = nn.Linear(64, classes)", "last = Far(64, classes)")
        .replace(
            "def trained",
            "class Far(nn.Linear):\n"
            "    def forward(self, x):\n"
            "        return super().forward(x) * (float('inf') if self.training else 1)\n\n"
            "def trained",
        )
        .replace("range(60)", "range(0)")
    )
    (user / "own.py").write_text(broken)
    result = run(*ON, "--sparsity", "0.5", "--finetune-epochs", "2", cwd=user)
    assert result.code == 2
    assert result.err.startswith("selvedge: --rate is 0.001: the loss became nan in epoch 1"), result.err


def test_a_share_that_a_small_layer_cannot_bear_alone_is_judged_by_the_rank_that_was_asked_for(user: Path) -> None:
    given = ("--rank", "global", "--sparsity", "0.995", "--device", "stm32f446", "--for-speed", "--json")
    judged = run(*ON, *given, cwd=user)  # of each layer alone none of 72 weights would stay
    assert (judged.code, judged.err) == (0, ""), judged
    assert json.loads(judged.out)["sparsity"] == pytest.approx(0.995, abs=1e-4)
