"""Artifacts for other runtimes whose files contradict the manifest, though their hashes are right, and a cache that is
torn or cannot be written: one line, and nothing of it becomes state."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

import selvedge as sv
from selvedge.errors import InvalidInput, SelvedgeError

X, Y = np.random.default_rng(0).standard_normal((2, 4)).astype(np.float32), np.array([0, 2])


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    torch.manual_seed(0)
    plan = sv.plan(torch.nn.Linear(4, 3), torch.zeros(2, 4), optimizer=sv.SGD(lr=0.1, momentum=0.9), name="net")
    place, made = tmp_path_factory.mktemp("emitted"), dict[str, Path]()

    def of(target: str) -> Path:
        if target not in made:
            made[target] = sv.emit(plan, target, place / target)
        return made[target]

    return of


def hashed(folder: Path) -> None:
    """The manifest of ``folder`` with the hashes that its files have now."""
    data = json.loads((folder / "manifest.json").read_text())
    data["files"] = {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in data["files"]}
    (folder / "manifest.json").write_text(json.dumps(data))


def another_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("more", 1, [2]))


def no_loss(model: onnx.ModelProto) -> None:
    (port,) = (p for p in model.graph.output if p.name == "loss")
    model.graph.output.remove(port)


def wider_state(model: onnx.ModelProto) -> None:
    (port,) = (p for p in model.graph.output if p.name == "bias.new")
    model.graph.output.remove(port)
    for node in model.graph.node:
        for i, name in enumerate(node.output):
            if name == "bias.new":
                node.output[i] = "narrow"
    model.graph.node.append(helper.make_node("Concat", ["narrow", "narrow"], ["bias.new"], axis=0))
    model.graph.output.append(helper.make_tensor_value_info("bias.new", 1, [6]))


@pytest.mark.parametrize(("spoil", "odd"), [(another_input, "more"), (no_loss, "loss"), (wider_state, "bias.new")])
def test_a_model_that_is_not_the_manifests_is_refused_before_it_runs(
    emitted: Callable[[str], Path], tmp_path: Path, spoil: Callable[[onnx.ModelProto], None], odd: str
) -> None:
    folder = Path(shutil.copytree(emitted("onnx"), tmp_path / "net"))
    model = onnx.load(folder / "net_step.onnx")
    spoil(model)
    onnx.save(model, folder / "net_step.onnx")
    hashed(folder)
    with pytest.raises(InvalidInput, match=f"^artifact file is net_step.onnx: its {odd} is not what the manifest says"):
        sv.load(folder)


@pytest.mark.parametrize("target", ["tvm-c", "pt2"])
def test_results_that_are_not_the_signatures_leave_the_state(
    emitted: Callable[[str], Path], tmp_path: Path, target: str
) -> None:
    folder = Path(shutil.copytree(emitted(target), tmp_path / "net"))
    signature = json.loads((folder / "signature.json").read_text())
    gives = signature["step"]["gives"]
    weight, bias = gives.index("weight"), gives.index("bias")
    gives[weight], gives[bias] = gives[bias], gives[weight]
    (folder / "signature.json").write_text(json.dumps(signature))
    hashed(folder)
    session = sv.load(folder)
    before = session.snapshot()
    with pytest.raises(SelvedgeError, match=f"^{target}: step failed: its results are not those that signature.json"):
        session.step(X, Y)
    assert all(np.array_equal(array, before[name]) for name, array in session.snapshot().items())
    assert session.steps == 0


@pytest.mark.parametrize("target", ["pt2", "tvm-c"])
def test_a_program_that_takes_more_is_one_line(emitted: Callable[[str], Path], tmp_path: Path, target: str) -> None:
    folder = Path(shutil.copytree(emitted(target), tmp_path / "net"))
    signature = json.loads((folder / "signature.json").read_text())
    signature["predict"]["takes"].pop()
    (folder / "signature.json").write_text(json.dumps(signature))
    hashed(folder)
    with pytest.raises(SelvedgeError, match=f"^{target}: predict failed: [^\n]+$"):
        sv.load(folder).predict(X)


def test_a_library_without_a_program_is_refused(emitted: Callable[[str], Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(emitted("tvm-c"), tmp_path / "net"))
    other = sv.emit(
        sv.plan_inference(torch.nn.Linear(4, 3), torch.zeros(2, 4), name="net"), "tvm-c", tmp_path / "other"
    )
    shutil.copyfile(other / "net.so", folder / "net.so")
    hashed(folder)
    with pytest.raises(InvalidInput, match=r"^artifact file is net\.so: it has no function sv_evaluate"):
        sv.load(folder)


def test_a_library_that_is_torn_in_the_cache_is_written_again(
    emitted: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the right size, and zeros: what a crash leaves where a file was not synced."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    expected = sv.load(emitted("tvm-c")).predict(X)
    (library,) = (tmp_path / "selvedge").glob("tvm-*.so")
    size = library.stat().st_size
    library.unlink()  # the process has the earlier one open
    library.write_bytes(bytes(size))
    np.testing.assert_array_equal(sv.load(emitted("tvm-c")).predict(X), expected)


@pytest.mark.parametrize("target", ["tvm-c", "executorch"])
def test_a_cache_that_cannot_be_written_is_one_line(
    emitted: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    folder = emitted(target)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InvalidInput, match=r"^cache directory is .*: nothing can be written there: set XDG_CACHE_HOME"):
        sv.load(folder)


@pytest.mark.parametrize(("target", "package"), [("onnx", "onnxruntime"), ("tvm-c", "tvm")])
def test_a_runtime_that_is_installed_and_broken_is_one_line(
    emitted: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, target: str, package: str
) -> None:
    folder = emitted(target)
    monkeypatch.setitem(sys.modules, package, None)  # its metadata is there, an import of it fails
    with pytest.raises(InvalidInput, match=rf"^target is {target}: its runtime cannot be imported \(.*\): pip install"):
        sv.load(folder)
