"""An artifact for ONNX Runtime that only predicts: written, opened, and run where neither torch nor onnx is."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch

import selvedge as sv
from selvedge.errors import InvalidInput, NotSupported
from selvedge.run.artifact import load_native
from selvedge.run.foreign.session import ForeignSession
from selvedge.zoo import make

X = np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return make("resnet8", seed=0)[0].eval()


@pytest.fixture(scope="module")
def emitted(model: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = sv.plan_inference(model, torch.zeros(1, 3, 32, 32), name="net")
    return sv.emit(plan, "onnx", tmp_path_factory.mktemp("emitted") / "net")


def test_it_predicts_what_pytorch_does(model: torch.nn.Module, emitted: Path) -> None:
    session = sv.load(emitted)
    assert isinstance(session, ForeignSession)
    assert session.target == "onnx"
    assert sorted(p.name for p in emitted.iterdir()) == ["extra.npz", "manifest.json", "net_predict.onnx", "state.npz"]
    expected = model(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(session.predict(X), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_int8_predicts_what_our_own_code_does(model: torch.nn.Module, tmp_path: Path) -> None:
    network = sv.network(
        sv.quantise(model, [torch.from_numpy(X)], allow_few=True), torch.zeros(1, 3, 32, 32), floats=False
    )
    plan = sv.plan_inference(network)
    there, here = sv.load(sv.emit(plan, "onnx", tmp_path / "net")), sv.compile(plan)
    x = np.random.default_rng(1).integers(-128, 128, X.shape).astype(np.int8)
    assert there.predict(x).dtype == np.int8
    assert np.abs(there.predict(x).astype(int) - here.predict(x)).max() <= 2


def test_it_runs_without_torch_and_onnx(emitted: Path) -> None:
    code = (
        "import sys, numpy as np, selvedge as sv\n"
        f"session = sv.load({str(emitted)!r})\n"
        "print(session.predict(np.zeros((1, 3, 32, 32), np.float32)).shape)\n"
        "assert not {'torch', 'onnx', 'selvedge.ir'} & set(sys.modules)"
    )
    made = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert made.stdout == "(1, 10)\n"


def test_bad_input_is_refused_as_by_our_own_code(emitted: Path) -> None:
    session = sv.load(emitted)
    with pytest.raises(InvalidInput, match=r"input x is of shape \(1, 3, 8, 8\): the plan was made for"):
        session.predict(np.zeros((1, 3, 8, 8), np.float32))
    with pytest.raises(InvalidInput, match="it holds NaN"):
        session.predict(np.full_like(X, np.nan))
    with pytest.raises(InvalidInput, match="program is step: this plan has predict"):
        session.step(X, np.zeros(1, np.int64))


def test_what_lives_in_an_arena_refuses_it(emitted: Path) -> None:
    with pytest.raises(InvalidInput, match=r"artifact target is onnx: .* emit it for target c"):
        load_native(emitted)


def test_a_broken_file_is_one_line(emitted: Path, tmp_path: Path) -> None:
    for spoil, told in (
        (lambda m: m.update(target="tflite"), "target is tflite: choose one of c, onnx"),
        (lambda m: m.update(arena_bytes=64), "an arena of 64 bytes for target onnx, which has none"),
        (lambda m: m["programs"]["predict"].update(file="../net.onnx"), "which is none of its files"),
        (lambda m: m["programs"]["predict"]["inputs"]["x"].update(offset=4), "an array of 12288 bytes at 4"),
    ):
        folder = tmp_path / hashlib.sha256(told.encode()).hexdigest()[:8]
        folder.mkdir()
        for file in emitted.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        data = json.loads((folder / "manifest.json").read_text())
        spoil(data)
        (folder / "manifest.json").write_text(json.dumps(data))
        with pytest.raises(InvalidInput) as raised:
            sv.load(folder)
        assert told in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_model_that_onnx_runtime_does_not_take_is_one_line(emitted: Path, tmp_path: Path) -> None:
    for file in emitted.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "net_predict.onnx").write_bytes(b"no model")
    data = json.loads((tmp_path / "manifest.json").read_text())
    data["files"]["net_predict.onnx"] = hashlib.sha256(b"no model").hexdigest()
    (tmp_path / "manifest.json").write_text(json.dumps(data))
    with pytest.raises(InvalidInput, match=r"artifact file is net_predict\.onnx: ONNX Runtime refuses it"):
        sv.load(tmp_path)


class Tail(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.special.erfc(x)


def test_nothing_is_written_where_something_is_missing(
    model: torch.nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = sv.plan_inference(model, torch.zeros(1, 3, 32, 32), name="net")
    monkeypatch.setattr(metadata, "version", lambda name: "1.20.0")
    with pytest.raises(InvalidInput, match=r"it needs onnx, which is too old here \(1.20.0\): pip install"):
        sv.emit(plan, "onnx", tmp_path / "net")
    monkeypatch.undo()

    odd = sv.plan_inference(Tail(), torch.zeros(1, 25, 10))
    with pytest.raises(NotSupported, match=r"^erfc in ONNX is not supported at .*\.py:\d+"):
        sv.emit(odd, "onnx", tmp_path / "net")
    assert not list(tmp_path.iterdir())
