"""An artifact's operators beside the ONNX project's reference: they agree, and a kernel that is wrong is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import selvedge as sv
from selvedge.errors import NotSupported
from selvedge.make.verify import verify
from tests.face.command import run


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(12, 3)
    )
    plan = sv.plan(model, torch.zeros(2, 2, 6, 6), name="net")
    return sv.emit(plan, "onnx", tmp_path_factory.mktemp("verified") / "net")


def test_every_operator_of_every_program_agrees(emitted: Path) -> None:
    found = verify(emitted)
    assert [v.program for v in found] == ["predict", "evaluate", "step"]
    for v in found:
        assert v.first is None
        assert v.largest.apart < 1e-5
        assert v.operators == len(onnx.load(emitted / f"net_{v.program}.onnx").graph.node)


def test_the_first_operator_that_differs_is_named(emitted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime whose Relu is a little off, and so all that follows is fed other numbers than it should be."""

    class Wrong(onnxruntime.InferenceSession):  # type: ignore[misc]
        def __init__(self, model: bytes, *given: Any) -> None:
            super().__init__(model, *given)
            nodes = onnx.ModelProto.FromString(model).graph.node
            self.wrong = next(n.output[0] for n in nodes if n.op_type == "Relu")

        def run(self, names: Any, feeds: Any) -> list[np.ndarray]:
            made = super().run(names, feeds)
            return [a * 1.01 if o.name == self.wrong else a for o, a in zip(self.get_outputs(), made, strict=True)]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Wrong)
    predict = verify(emitted)[0]
    assert predict.first is not None
    assert predict.first.op == "Relu"
    assert predict.first.apart == pytest.approx(0.01, rel=1e-3)
    assert str(predict).startswith("predict: differs first at operator ")


def test_what_should_be_zero_and_is_not_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no largest number to measure it by."""
    layer = torch.nn.Linear(4, 3)
    torch.nn.init.constant_(layer.bias, -1e6)
    plan = sv.plan_inference(torch.nn.Sequential(layer, torch.nn.ReLU()), torch.zeros(2, 4), name="net")
    folder = sv.emit(plan, "onnx", tmp_path / "net")
    assert verify(folder)[0].first is None

    class Wrong(onnxruntime.InferenceSession):  # type: ignore[misc]
        def run(self, names: Any, feeds: Any) -> list[np.ndarray]:
            made = super().run(names, feeds)
            return [a if a.any() else a + 1 for a in made]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Wrong)
    found = verify(folder)[0].first
    assert found is not None
    assert (found.op, found.apart) == ("Relu", float("inf"))


def test_the_command_says_it(emitted: Path, tmp_path: Path) -> None:
    found = run("verify", str(emitted), cwd=tmp_path)
    assert (found.code, found.err) == (0, "")
    assert found.out.count("operators agree; the largest difference is of operator") == 3
    told = run("targets", cwd=tmp_path)
    (row,) = (line.split() for line in told.out.splitlines() if line.startswith("onnx "))
    assert row[:5] == ["onnx", "yes", "yes", "yes", "onnx"]
    assert row[5].startswith("1.23")
    made = run(
        "emit", "zoo:ds_cnn?width=0.25", "--predicts", "--target", "onnx", "--out", str(tmp_path / "net"), cwd=tmp_path
    )
    assert made.code == 0, made.err
    assert sorted(p.name for p in (tmp_path / "net").iterdir()) == [
        "ds_cnn_predict.onnx", "extra.npz", "manifest.json", "state.npz",
    ]  # fmt: skip
    refused = run("emit", "zoo:ds_cnn", "--target", "nothing", "--out", str(tmp_path / "no"), cwd=tmp_path)
    assert refused.code == 2
    assert refused.err.startswith("selvedge: target is nothing: choose one of c, onnx")
    assert not (tmp_path / "no").exists()


def test_a_target_that_shows_nothing_inside_wants_another_beside_it(tmp_path: Path) -> None:
    folder = sv.emit(sv.plan(torch.nn.Linear(4, 3), torch.zeros(2, 4)), "c", tmp_path / "c")
    with pytest.raises(NotSupported, match=r"verifying target c alone is not supported at .*: give --beside FOLDER"):
        verify(folder)
