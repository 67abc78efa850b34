"""ExecuTorch, TVM and torch.export through the seam: they predict what PyTorch does, their gradients are PyTorch's,
int8 rows differ by a step at most, and what learns does so in a process without torch (but for torch.export)."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import selvedge as sv
from selvedge.errors import InvalidInput, NotSupported
from selvedge.run.foreign.session import ForeignSession
from selvedge.run.ports import NotFinite
from selvedge.zoo import make

from .elsewhere import learns_and_goes_on
from .test_training import FAMILIES, RATES, gradients, settled

TARGETS = ("executorch", "executorch-portable", "tvm", "tvm-c", "pt2")
# One family a target here; all of them in every target: `make matrix`.
PAIRS = (("executorch", "ds_cnn"), ("tvm", "resnet8"), ("tvm-c", "deep_autoencoder"), ("pt2", "deep_autoencoder"))
if os.environ.get("SELVEDGE_ALL"):
    PAIRS = tuple(product(TARGETS, FAMILIES))


@pytest.fixture(scope="module", params=PAIRS, ids=lambda pair: "-".join(pair))
def emitted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    target, name = request.param
    model, x, y, loss = settled(name)
    sgd = sv.SGD(lr=RATES.get(name, 0.01), momentum=0.9)
    plan = sv.plan(model, torch.from_numpy(x), loss=loss, optimizer=sgd, name="net")
    folder = sv.emit(plan, target, tmp_path_factory.mktemp(target) / "net")
    return {"target": target, "name": name, "model": model, "x": x, "y": y, "folder": folder, "plan": plan}


def smooth(model: torch.nn.Module, shape: tuple[int, ...], seeds: Iterator[int]) -> np.ndarray:
    """A batch none of whose activations is, in float64, within 2e-6 of where a relu bends: there a gradient has two
    right values, and rounding chooses."""
    nearest = [0.0]

    def look(module: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        (v,) = given
        ends = (0.0, 6.0) if isinstance(module, torch.nn.ReLU6) else (0.0,)
        nearest.append(min(float((v.detach() - end).abs().min()) for end in ends))

    bends = [m for m in model.modules() if isinstance(m, torch.nn.ReLU | torch.nn.ReLU6)]
    hooks = [m.register_forward_pre_hook(look) for m in bends]
    model.double()
    try:
        while min(nearest) < 2e-6:
            nearest = [np.inf]
            x = np.random.default_rng(next(seeds)).standard_normal(shape).astype(np.float32)
            model(torch.from_numpy(x).double())
    finally:
        for hook in hooks:
            hook.remove()
        model.float()
    return x


def test_the_gradients_are_pytorchs_from_the_same_state(emitted: dict[str, Any]) -> None:
    """Read out of momentum, which begins at zero and is the gradient after one step."""
    session, model, y = sv.load(emitted["folder"]), emitted["model"], emitted["y"]
    assert isinstance(session, ForeignSession)
    assert session.target == emitted["target"]
    worst, seeds = 0.0, iter(range(20))
    for _ in range(3):
        model.load_state_dict({n: torch.from_numpy(a) for n, a in session.state_dict().items()})
        x = smooth(model, emitted["x"].shape, seeds)
        session.load_optimizer_state_dict({n: np.zeros_like(a) for n, a in session.optimizer_state_dict().items()})
        single, double = (gradients(model, x, y, dtype) for dtype in (torch.float32, torch.float64))
        session.step(x, y)
        moved = session.optimizer_state_dict()
        for name, exact in double.items():
            size = np.abs(exact).max() + 1e-30
            error = np.abs(moved[f"{name}.momentum"].astype(float) - exact).max() / size
            own = np.abs(single[name] - exact).max() / size
            assert error <= max(1e-4, 3 * own), (name, error, own)
            worst = max(worst, error)
    print(f"{emitted['target']} {emitted['name']}: gradients within {worst:.1e} of PyTorch's in float64")


def test_a_process_without_torch_learns_and_another_goes_on(emitted: dict[str, Any], tmp_path: Path) -> None:
    learns_and_goes_on(emitted["target"], emitted, tmp_path)


def test_tvms_c_pools_the_largest_and_learns_behind_it(tmp_path: Path) -> None:
    """It writes an infinity as a name that it declares nowhere; the C beside the library is compiled alone."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3, padding=1), torch.nn.MaxPool2d(3, 2, padding=1), torch.nn.Flatten(),
        torch.nn.Linear(18, 3),
    ).eval()  # fmt: skip
    x, y = np.random.default_rng(0).standard_normal((2, 1, 6, 6)).astype(np.float32), np.array([0, 2])
    plan = sv.plan(net, torch.zeros(2, 1, 6, 6), optimizer=sv.SGD(lr=0.1, momentum=0.9), name="net")
    session = sv.load(sv.emit(plan, "tvm-c", tmp_path / "net"))
    expected = net(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(session.predict(x), expected, rtol=0, atol=1e-6)
    session.step(x, y)
    for name, exact in gradients(net, x, y, torch.float64).items():
        np.testing.assert_allclose(session.optimizer_state_dict()[f"{name}.momentum"], exact, rtol=0, atol=1e-6)
    source = tmp_path / "net" / "net.c"
    assert "inff" in source.read_text()
    places = [f"-I{Path(str(p)) / 'include'}" for n in ("tvm", "tvm_ffi") for p in import_module(n).__path__]
    subprocess.run(["g++", "-fsyntax-only", "-w", *places, str(source)], check=True)


X = np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return make("resnet8?width=0.5", seed=0)[0].eval()


@pytest.mark.parametrize("target", TARGETS)
def test_it_predicts_what_pytorch_does(model: torch.nn.Module, target: str, tmp_path: Path) -> None:
    plan = sv.plan_inference(model, torch.zeros(1, 3, 32, 32), name="net")
    session = sv.load(sv.emit(plan, target, tmp_path / "net"))
    expected = model(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(session.predict(X), expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    with pytest.raises(InvalidInput, match=r"input x is of shape \(1, 3, 8, 8\): the plan was made for"):
        session.predict(np.zeros((1, 3, 8, 8), np.float32))


@pytest.mark.parametrize("target", TARGETS)
def test_int8_predicts_what_our_own_code_does(model: torch.nn.Module, target: str, tmp_path: Path) -> None:
    """TVM gets our integers and gives them bit by bit; the others compute q/dq, in their own kernels or in float."""
    small = torch.nn.Sequential(*list(model.children())[:2])  # the stem and a stack: every kind of row, fewer of each
    network = sv.network(
        sv.quantise(small, [torch.from_numpy(X)], allow_few=True), torch.zeros(1, 3, 32, 32), floats=False
    )
    plan = sv.plan_inference(network)
    there, here = sv.load(sv.emit(plan, target, tmp_path / "net")), sv.compile(plan)
    x = np.random.default_rng(1).integers(-128, 128, X.shape).astype(np.int8)
    assert there.predict(x).dtype == np.int8
    off = np.abs(there.predict(x).astype(int) - here.predict(x)).max()
    assert off == 0 if target.startswith("tvm") else off <= 2


@pytest.fixture(scope="module", params=["executorch", "tvm-c", "pt2"])
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.Module]:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
    plan = sv.plan(net, torch.zeros(2, 6), update="last:1", optimizer=sv.Adam(lr=0.01), name="net")
    return sv.emit(plan, request.param, tmp_path_factory.mktemp("small") / "net"), net


V, Y = np.random.default_rng(0).standard_normal((2, 6)).astype(np.float32), np.array([0, 2])


def test_a_sparse_update_learns_its_layer_alone_with_any_optimiser(small: tuple[Path, torch.nn.Module]) -> None:
    folder, net = small
    session = sv.load(folder)
    state = session.state_dict()
    adam = torch.optim.Adam(net[2].parameters(), lr=0.01)
    net.load_state_dict({n: torch.from_numpy(a) for n, a in state.items()})
    for _ in range(3):
        session.step(V, Y)
        adam.zero_grad()
        torch.nn.functional.cross_entropy(net(torch.from_numpy(V)), torch.from_numpy(Y)).backward()
        adam.step()
    now = session.state_dict()
    assert {n for n, a in now.items() if not np.array_equal(a, state[n])} == {"2.weight", "2.bias"}
    for name, tensor in net.state_dict().items():
        np.testing.assert_allclose(now[name], tensor.numpy(), rtol=1e-5, atol=1e-6)
    changed = {**now, "0.weight": now["0.weight"] * 2}
    session.load_state_dict(changed)
    net.load_state_dict({n: torch.from_numpy(a) for n, a in changed.items()})
    np.testing.assert_allclose(session.predict(V), net(torch.from_numpy(V)).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_a_loss_that_is_not_finite_updates_nothing(small: tuple[Path, torch.nn.Module]) -> None:
    session = sv.load(small[0])
    state = session.state_dict()
    session.load_state_dict({n: np.full_like(a, 1e38) for n, a in state.items()})
    before = session.snapshot()
    with pytest.raises(NotFinite, match="nothing was updated"):
        session.step(np.full_like(V, 1e3), Y)
    for name, array in session.snapshot().items():
        assert np.array_equal(array, before[name])
    with pytest.raises(InvalidInput, match=r"input y is 0..7: labels must lie in 0..2"):
        session.step(V, np.array([0, 7]))


def test_a_program_that_the_runtime_does_not_take_is_one_line(
    small: tuple[Path, torch.nn.Module], tmp_path: Path
) -> None:
    for file in small[0].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    data = json.loads((tmp_path / "manifest.json").read_text())
    for program in data["programs"].values():
        (tmp_path / program["file"]).write_bytes(b"no program")
        data["files"][program["file"]] = hashlib.sha256(b"no program").hexdigest()
    (tmp_path / "manifest.json").write_text(json.dumps(data))
    with pytest.raises(InvalidInput, match=r"^artifact file is .*: (ExecuTorch|TVM|torch) refuses it: "):
        sv.load(tmp_path)


def test_a_signature_that_does_not_go_with_the_manifest_is_refused(
    small: tuple[Path, torch.nn.Module], tmp_path: Path
) -> None:
    for file in small[0].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    signature = json.loads((tmp_path / "signature.json").read_text())
    signature["step"]["takes"][0] = "nothing"
    (tmp_path / "signature.json").write_text(json.dumps(signature))
    data = json.loads((tmp_path / "manifest.json").read_text())
    data["files"]["signature.json"] = hashlib.sha256((tmp_path / "signature.json").read_bytes()).hexdigest()
    (tmp_path / "manifest.json").write_text(json.dumps(data))
    with pytest.raises(InvalidInput, match="it contradicts itself"):
        sv.load(tmp_path)


@pytest.mark.parametrize("target", ["executorch", "tvm", "pt2"])
def test_an_operator_that_is_lacking_is_named_with_a_way_out(target: str, tmp_path: Path) -> None:
    plan = sv.plan(
        torch.nn.Linear(6, 3), torch.zeros(2, 6), optimizer=sv.Adam(lr=0.01, state_dtype="bfloat16"), name="net"
    )
    with pytest.raises(NotSupported, match=r"from_bfloat16.* is not supported.*: plan with state_dtype=None"):
        sv.emit(plan, target, tmp_path / "net")
    assert not list(tmp_path.iterdir())
