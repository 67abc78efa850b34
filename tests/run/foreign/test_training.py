"""Training as ONNX models in ONNX Runtime: gradients are PyTorch's from the same state, and a process without torch
learns on, saves, and another one goes on from there with the same numbers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import selvedge as sv
from selvedge.errors import InvalidInput
from selvedge.run.foreign.session import ForeignSession
from selvedge.run.ports import NotFinite
from selvedge.zoo import make

from .elsewhere import learns_and_goes_on

FAMILIES = {
    "resnet8": "resnet8?width=0.5",
    "ds_cnn": "ds_cnn?width=0.5",
    "deep_autoencoder": "deep_autoencoder",
    "mobilenet_v2": "mobilenet_v2?width=0.25&resolution=32&classes=10",
}
LEARN = tuple(FAMILIES) if os.environ.get("SELVEDGE_ALL") else ("mobilenet_v2", "deep_autoencoder")  # all: make matrix
RATES = {"mobilenet_v2": 0.001}
BATCH, FAR = 4, 1024.0  # a rate at which an update is far larger than the rounding of a weight


def settled(name: str) -> tuple[torch.nn.Module, np.ndarray, np.ndarray | None, str]:
    """A network whose norms have seen data, a batch, its targets and its loss."""
    model, example, loss = make(FAMILIES[name], seed=0)
    torch.manual_seed(1)
    for norm in model.modules():
        if isinstance(norm, torch.nn.modules.batchnorm._BatchNorm):
            norm.momentum = None
    model.train()
    for _ in range(4):
        model(torch.randn(16, *example.shape[1:]))
    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH, *example.shape[1:])).astype(np.float32)
    return model.eval(), x, None if loss == "reconstruction" else np.arange(BATCH) % 10, loss


def gradients(model: torch.nn.Module, x: np.ndarray, y: np.ndarray | None, dtype: torch.dtype) -> dict[str, np.ndarray]:
    model = model.to(dtype)
    model.zero_grad()
    given = torch.from_numpy(x).to(dtype)
    output = model(given)
    if y is None:
        torch.nn.functional.mse_loss(output, given).backward()
    else:
        torch.nn.functional.cross_entropy(output, torch.from_numpy(y)).backward()
    found = {n: p.grad.double().numpy().copy() for n, p in model.named_parameters() if p.grad is not None}
    model.float()
    return found


@pytest.fixture(scope="module", params=LEARN)
def emitted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    model, x, y, loss = settled(request.param)
    sgd = sv.SGD(lr=RATES.get(request.param, 0.01), momentum=0.9)
    plan = sv.plan(model, torch.from_numpy(x), loss=loss, optimizer=sgd, name="net")
    folder = sv.emit(plan, "onnx", tmp_path_factory.mktemp(request.param) / "net")
    return {"name": request.param, "model": model, "x": x, "y": y, "folder": folder, "plan": plan}


def test_the_gradients_are_pytorchs_from_the_same_state(emitted: dict[str, Any]) -> None:
    session, model, y = sv.load(emitted["folder"]), emitted["model"], emitted["y"]
    assert isinstance(session, ForeignSession)
    begin, worst = session.snapshot(), 0.0
    for seed in range(3):
        x = np.random.default_rng(seed).standard_normal(emitted["x"].shape).astype(np.float32)
        before = session.state_dict()
        model.load_state_dict({n: torch.from_numpy(a) for n, a in before.items()})
        single, double = (gradients(model, x, y, dtype) for dtype in (torch.float32, torch.float64))
        session.step(x, y, lr=FAR)
        after = session.state_dict()
        for name, exact in double.items():
            ours = (before[name].astype(float) - after[name]) / FAR
            size = np.abs(exact).max() + 1e-30
            error, own = np.abs(ours - exact).max() / size, np.abs(single[name] - exact).max() / size
            rounding = np.abs(before[name]).max() * 2.0**-23 / FAR / size
            assert error <= max(1e-4, 3 * own) + rounding, (name, error, own)
            worst = max(worst, error)
        session.restore(begin, 0)
        session.step(x, y)  # another state for the next
        begin = {n: np.zeros_like(a) if n.endswith(".momentum") else a for n, a in session.snapshot().items()}
        session.restore(begin, 0)
    print(f"{emitted['name']}: gradients within {worst:.1e} of PyTorch's in float64")


def test_a_process_without_torch_learns_and_another_goes_on(emitted: dict[str, Any], tmp_path: Path) -> None:
    learns_and_goes_on("onnx", emitted, tmp_path)


@pytest.mark.parametrize("emitted", ["ds_cnn"], indirect=True)
def test_it_learns_what_our_own_code_learns(emitted: dict[str, Any]) -> None:
    there, here = sv.load(emitted["folder"]), sv.compile(emitted["plan"])
    x, y = emitted["x"], emitted["y"]
    for session in (there, here):
        session.step(x, y)
    ours, theirs = here.state_dict(), there.state_dict()
    assert list(ours) == list(theirs)
    for name, array in theirs.items():
        own = ours[name].numpy()
        np.testing.assert_allclose(array, own, rtol=1e-4, atol=1e-5 * max(1e-3, np.abs(own).max()))
    assert there.evaluate(x, y)[0] == pytest.approx(here.evaluate(x, y)[0], rel=1e-4)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.Module]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
    plan = sv.plan(model, torch.zeros(2, 6), update="last:1", name="net")
    return sv.emit(plan, "onnx", tmp_path_factory.mktemp("small") / "net"), model


X, Y = np.random.default_rng(0).standard_normal((2, 6)).astype(np.float32), np.array([0, 2])


def test_only_what_learns_comes_out_and_what_is_frozen_can_be_replaced(small: tuple[Path, torch.nn.Module]) -> None:
    folder, model = small
    step = onnx.load(folder / "net_step.onnx").graph
    assert {o.name for o in step.output} == {"loss", "output", "2.weight.new", "2.bias.new"}
    assert {i.name for i in step.input} == {"x", "y", "lr", *model.state_dict()}
    session = sv.load(folder)
    first = session.predict(X)
    state = session.state_dict()
    session.step(X, Y)
    assert {n for n, a in session.state_dict().items() if not np.array_equal(a, state[n])} == {"2.weight", "2.bias"}
    state["0.weight"] = state["0.weight"] * 2
    session.load_state_dict(state)
    model.load_state_dict({n: torch.from_numpy(a) for n, a in state.items()})
    expected = model(torch.from_numpy(X)).detach().numpy()
    assert not np.allclose(first, expected)
    np.testing.assert_allclose(session.predict(X), expected, rtol=1e-5, atol=1e-6)


def test_the_prediction_runs_by_itself(small: tuple[Path, torch.nn.Module]) -> None:
    """With ONNX Runtime alone, of nothing but the input."""
    import onnxruntime

    folder, model = small
    found = onnxruntime.InferenceSession(folder / "net_predict.onnx").run(None, {"x": X})[0]
    model.load_state_dict({n: torch.from_numpy(a) for n, a in sv.load(folder).state_dict().items()})
    np.testing.assert_allclose(found, model(torch.from_numpy(X)).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_a_loss_that_is_not_finite_updates_nothing(small: tuple[Path, torch.nn.Module]) -> None:
    session = sv.load(small[0])
    state = session.state_dict()
    session.load_state_dict({n: np.full_like(a, 1e38) for n, a in state.items()})
    before = session.snapshot()
    with pytest.raises(NotFinite, match="nothing was updated"):
        session.step(np.full_like(X, 1e3), Y)
    assert session.steps == 0
    for name, array in session.snapshot().items():
        assert np.array_equal(array, before[name])
    with pytest.raises(InvalidInput, match=r"input y is 0..7: labels must lie in 0..2"):
        session.step(X, np.array([0, 7]))


def test_a_saved_state_that_is_damaged_or_of_another_plan_is_refused(
    small: tuple[Path, torch.nn.Module], tmp_path: Path
) -> None:
    session = sv.load(small[0])
    kept = session.save(tmp_path / "kept.npz")
    other = sv.compile(sv.plan(torch.nn.Linear(4, 3), torch.zeros(2, 4)))
    with pytest.raises(InvalidInput, match="of another plan"):
        other.resume(kept)
    kept.write_bytes(kept.read_bytes()[:-40])
    with pytest.raises(InvalidInput, match="damaged"):
        session.resume(kept)
    with pytest.raises(InvalidInput, match="it cannot be read"):
        session.resume(tmp_path / "nothing.npz")


@pytest.mark.parametrize(("target", "alike"), [("onnx", False), ("litert", True)])
def test_what_one_target_saved_is_never_read_in_the_layout_of_another(target: str, alike: bool, tmp_path: Path) -> None:
    """A square weight has the same shape there and here, and in one of them lies turned."""
    plan = sv.plan(torch.nn.Linear(3, 3), torch.zeros(2, 3), optimizer=sv.SGD(lr=0.1, momentum=0.9), name="net")
    there, here = sv.load(sv.emit(plan, target, tmp_path / "net")), sv.compile(plan)
    there.step(X[:, :3], Y)
    kept = there.save(tmp_path / "kept.npz")
    if not alike:
        with pytest.raises(InvalidInput, match="of another plan, or of a target that lays state otherwise"):
            here.resume(kept)
        return
    here.resume(kept)
    for name, array in there.state_dict().items():
        np.testing.assert_array_equal(here.state_dict()[name], array)


def test_what_was_learnt_goes_from_one_runtime_to_another(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
    plan = sv.plan(model, torch.zeros(2, 6), optimizer=sv.Adam(lr=0.01), name="net")
    here = sv.compile(plan)
    for _ in range(3):
        here.step(X, Y)
    there = sv.load(sv.emit(plan, "onnx", tmp_path / "net", learnt=here))
    assert there.steps == 3
    losses = [(here.step(X, Y), there.step(X, Y)) for _ in range(5)]
    np.testing.assert_allclose(*zip(*losses, strict=True), rtol=1e-5)
    back = sv.load(sv.emit(plan, "c", tmp_path / "c", learnt=there))
    assert back.step(X, Y) == pytest.approx(here.step(X, Y), rel=1e-5)


def test_micro_batches_accumulate_and_gradients_are_clipped(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
    plan = sv.plan(
        model, torch.zeros(4, 6), optimizer=sv.Adam(lr=0.01, clip_norm=0.1), accumulate=2, norms="live", name="net"
    )
    here, there = sv.compile(plan), sv.load(sv.emit(plan, "onnx", tmp_path / "net"))
    x, y = np.concatenate([X, -X]), np.array([0, 2, 1, 1])
    for _ in range(3):
        assert there.step(x, y) == pytest.approx(here.step(x, y), rel=1e-5)
    assert there.accumulated == 0
