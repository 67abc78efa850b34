"""A device installs the core alone: no torch, and still an artifact is loaded, predicts and learns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import selvedge as sv
from selvedge.artifact.features import Columns

from .models import batch, plan

ROOT = Path(__file__).parents[2]

LEARN = """
import json, sys, time
import selvedge as sv
assert sv.__file__.startswith(sys.prefix), sv.__file__
session = sv.load(sys.argv[1])
x, y = json.loads(sys.stdin.read())
before = session.predict(x).tolist()
losses = [session.step(x, y) for _ in range(30)]
assert "torch" not in sys.modules
print(json.dumps({"before": before, "losses": losses, "after": session.predict(x).tolist(),
                  "state": sorted(session.state_dict())}))
"""

ASK_FOR_ALL = """
import importlib.util
import selvedge
assert importlib.util.find_spec("torch") is None
for name in selvedge.__all__:
    try:
        getattr(selvedge, name)
    except ImportError as error:
        print(error)
"""
# What plans or describes training; the rest belongs to the device.
HOST = {
    "Adam", "BCEWithLogits", "CTC", "CrossEntropy", "MSE", "Plan", "RMSProp", "Reconstruction", "SGD", "compile",
    "emit", "Sweep", "TorchLoss", "contribution", "measured", "plan", "sweep",
    "AttentionTransfer", "DKD", "Distil", "Distilled", "Hint", "Logits", "Relational", "SelfTeacher", "TeacherCache",
    "distil",
    "MixedBits", "QAT", "QuantisationWarning", "Quantised", "Report", "compare", "mixed_bits", "network", "quantise",
    "Pruned", "Pruner", "Width", "Widths", "prune", "Sparsified", "Sparsifier", "sparsify", "Weighed", "weigh",
    "Candidate", "Compressed", "LearnableFile", "Limits", "NothingFits", "Space", "compress", "label_free",
    "learnable_onnx", "learnable_tflite", "remembering", "Cut", "OnnxModule", "cut", "emit_cut",
}  # fmt: skip
# Networks out of files are planned without torch, and read with what reads the file.
OTHERS = {
    "Inference": "ortools>=9.15,<9.16", "plan_inference": "ortools>=9.15,<9.16",
    "load_onnx": "onnx>=1.23,<1.24", "save_onnx": "onnx>=1.23,<1.24", "simulate": "pynacl>=1.5,<2",
}  # fmt: skip


def run(*command: str | Path, given: str = "", **environment: str) -> str:
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(c) for c in command], input=given, capture_output=True, text=True, check=False, timeout=300,
        env={**plain, **environment},
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    return next(folder.glob("selvedge-*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel and its own requirements, nothing else."""
    folder = tmp_path_factory.mktemp("device")
    venv.create(folder, with_pip=False, symlinks=True)
    made = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", made, "install", "--quiet", wheel)
    return made


def test_wheel_carries_kernels_and_profiles(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = {n: archive.read(n) for n in archive.namelist()}
    for source in sorted((ROOT / "native").iterdir()):
        assert inside[f"selvedge/native/{source.name}"] == source.read_bytes()
    for profile in (ROOT / "src/selvedge/device/profiles").glob("*.toml"):
        assert f"selvedge/device/profiles/{profile.name}" in inside
    assert "selvedge/py.typed" in inside
    assert not [n for n in inside if n.startswith("tests/")]


def test_only_the_core_is_installed(python: Path) -> None:
    names = json.loads(run(sys.executable, "-m", "pip", "--python", python, "list", "--format=json"))
    installed = {entry["name"].lower() for entry in names}
    assert {"selvedge", "numpy"} <= installed
    assert not installed & {"torch", "scikit-learn", "scipy", "ziglang", "hypothesis"}


def test_artifact_learns_without_torch(python: Path, tmp_path: Path) -> None:
    artifact = sv.emit(plan(), "c", tmp_path / "artifact")
    x, y = batch()
    given = json.dumps([x.tolist(), y.tolist()])
    printed = json.loads(run(python, "-c", LEARN, artifact, given=given, XDG_CACHE_HOME=str(tmp_path / "cache")))
    assert printed["losses"][-1] < 0.5 * printed["losses"][0]
    here = sv.compile(plan())
    np.testing.assert_array_equal(np.array(printed["before"], np.float32), here.predict(x))
    assert printed["losses"] == [here.step(x, y) for _ in range(30)]
    np.testing.assert_array_equal(np.array(printed["after"], np.float32), here.predict(x))
    assert printed["state"] == sorted(here.state_dict())


def test_host_names_say_what_to_install(python: Path) -> None:
    lines = run(python, "-c", ASK_FOR_ALL).splitlines()
    needed = OTHERS | dict.fromkeys(HOST, "torch>=2.13,<2.14")
    told = [f"selvedge.{n} needs {what.partition('>')[0]}: pip install '{what}'" for n, what in needed.items()]
    assert sorted(lines) == sorted(told)


def test_command_line_starts_without_torch(python: Path) -> None:
    assert "stm32f446" in run(python, "-m", "selvedge", "devices")


def test_a_device_predicts_from_a_file_without_torch(python: Path, tmp_path: Path) -> None:
    """A raw table, through the features in the manifest, at the command line."""
    (tmp_path / "new.csv").write_text("b,a\n0.5,1.5\n-1,2\n")
    features = Columns(("a", "b"), (2,), mean=(1.0, 0.0), std=(2.0, 0.5))
    made = sv.plan(
        torch.nn.Linear(2, 3), torch.zeros(1, 2), device=sv.Device(name="bench", ram="1MiB", flash="1MiB"),
        features=features, labels=("x", "y", "z"),
    )  # fmt: skip
    artifact = sv.emit(made, "c", tmp_path / "artifact")
    printed = run(
        python, "-m", "selvedge", "predict", artifact, tmp_path / "new.csv", "--top", "3", "--json",
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )  # fmt: skip
    x = np.array([[0.25, 1.0], [0.5, -2.0]], np.float32)
    session = sv.compile(made)
    for row, found in zip(x, json.loads(printed), strict=True):
        logits = session.predict(row[None])[0].astype(np.float64)
        shares = np.exp(logits) / np.exp(logits).sum()
        for label, share in zip("xyz", shares, strict=True):
            np.testing.assert_allclose(found["probabilities"][label], share, rtol=1e-6)
