"""``selvedge sparsify`` as a user runs it: zeros beside dense on their own model and data, or one line why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from .command import run

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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sparsity", "0.2", "--for-speed"), "sparse='for_speed' is not supported at 3 (288 to 64): at 20.0% zeros"),
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
