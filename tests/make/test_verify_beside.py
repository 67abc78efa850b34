"""Two artifacts of one plan are compared end to end; what differs is named, and so is another plan."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import selvedge as sv
from selvedge.errors import InvalidInput
from selvedge.make.verify import verify


def plan(lr: float = 0.1, width: int = 5, accumulate: int = 1, seed: int = 0) -> sv.Plan:
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(6, width), torch.nn.ReLU(), torch.nn.Linear(width, 3))
    rule = sv.SGD(lr=lr, momentum=0.9)
    return sv.plan(model, torch.zeros(4, 6), batch=4, accumulate=accumulate, optimizer=rule, name="net")


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sv.emit(plan(), "c", tmp_path_factory.mktemp("native") / "c")


@pytest.mark.parametrize(
    ("target", "package"),
    [
        ("onnx", "onnxruntime"), ("litert", "ai_edge_litert"), ("executorch", "executorch"),
        ("executorch-portable", "executorch"), ("tvm", "tvm"), ("tvm-c", "tvm"), ("pt2", "torch"),
    ],
)  # fmt: skip
def test_every_target_that_learns_agrees_with_our_own_code(
    target: str, package: str, native: Path, tmp_path: Path
) -> None:
    pytest.importorskip(package)
    folder = sv.emit(plan(), target, tmp_path / "there")
    found = verify(folder, beside=native)
    assert [v.program for v in found] == ["state", "predict", "evaluate", "3 steps"]
    assert [v.operators for v in found] == [8, 1, 2, 11]
    assert all(v.first is None and v.largest.apart < 1e-5 for v in found)
    assert str(found[1]).endswith(f"(end to end, {target} beside c)")


def test_what_accumulates_takes_all_its_micro_batches(tmp_path: Path) -> None:
    folders = [sv.emit(plan(accumulate=2), target, tmp_path / target) for target in ("c", "onnx")]
    assert all(v.first is None for v in verify(folders[1], beside=folders[0]))


def test_a_micro_controllers_prediction_agrees(tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro")
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU())
    made = sv.plan_inference(model, torch.zeros(1, 6), name="net")
    folders = [sv.emit(made, target, tmp_path / target) for target in ("litert-micro", "c")]
    (found,) = verify(folders[0], beside=folders[1])
    assert (found.program, found.first) == ("predict", None)


def test_other_weights_and_another_rule_are_named(native: Path, tmp_path: Path) -> None:
    other = sv.emit(plan(seed=1), "onnx", tmp_path / "other")
    found = {v.program: v for v in verify(other, beside=native)}
    assert found["state"].first is not None
    assert (found["state"].first.index, found["state"].first.op) == (0, "0.weight")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
    rule = sv.SGD(lr=0.1, momentum=0.5)
    folder = sv.emit(sv.plan(model, torch.zeros(4, 6), optimizer=rule, name="net"), "onnx", tmp_path / "rule")
    found = {v.program: v for v in verify(folder, beside=native)}
    assert [name for name, v in found.items() if v.first is not None] == ["3 steps"]
    assert found["3 steps"].first is not None
    assert found["3 steps"].first.op == "0.weight"  # behind the losses, which are near each other yet
    assert found["3 steps"].first.apart > 1e-4


def test_another_plan_is_refused_in_one_line(native: Path, tmp_path: Path) -> None:
    other = sv.emit(plan(width=7), "onnx", tmp_path / "wide")
    with pytest.raises(
        InvalidInput, match=r"--beside is .*: its shapes differ: give the same plan emitted for another"
    ):
        verify(other, beside=native)
    with pytest.raises(InvalidInput, match="within is 0: give a share of the largest number"):
        verify(native, beside=other, within=0)


@pytest.mark.parametrize("loss", ["kl", "poisson", "bce_with_logits", "huber"])
def test_targets_are_drawn_that_the_loss_has_a_value_for(loss: str, tmp_path: Path) -> None:
    """A divergence from what is no distribution is no number, and nothing was compared."""
    torch.manual_seed(0)
    made = sv.plan(torch.nn.Sequential(torch.nn.Linear(6, 3)), torch.zeros(4, 6), loss=loss, name="net")
    here, there = sv.emit(made, "c", tmp_path / "c"), sv.emit(made, "onnx", tmp_path / "onnx")
    assert not [str(v) for v in verify(there, beside=here) if v.first is not None]
    assert not [str(v) for v in verify(there) if v.first is not None]
