"""The table of targets: what is installed is asked of metadata, and what is lacking is one line with its cure."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from selvedge.artifact.targets import ABILITIES, TARGETS, Package, Target, require, target
from selvedge.errors import InvalidInput

ROOT = Path(__file__).resolve().parents[2]


def having(monkeypatch: pytest.MonkeyPatch, **versions: str | None) -> None:
    """Metadata that gives these versions, and says of None that it is not installed."""

    def version(name: str) -> str:
        found = versions[name]
        if found is None:
            raise metadata.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(metadata, "version", version)


@pytest.mark.parametrize(
    ("version", "lack"),
    [
        (None, "is not installed"),
        ("1.31.9", "is too old here (1.31.9)"),
        ("1.32", None),
        ("1.32.0", None),
        ("1.32.7.post1", None),
        ("1.33.0", "is too new here (1.33.0)"),
        ("1.33", "is too new here (1.33)"),
        ("2.0.0rc1", "is too new here (2.0.0rc1)"),
    ],
)
def test_a_version_outside_its_bounds_is_named(
    monkeypatch: pytest.MonkeyPatch, version: str | None, lack: str | None
) -> None:
    having(monkeypatch, onnxruntime=version)
    assert Package("onnxruntime", "1.32", "1.33").lack == lack


def test_a_missing_package_is_one_line_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    having(monkeypatch, onnx="1.23.2", onnxruntime=None)
    assert require("onnx", "float", to_run=False).name == "onnx"
    with pytest.raises(InvalidInput) as raised:
        require("onnx", "float", to_run=True)
    assert str(raised.value) == (
        "target is onnx: it needs onnxruntime, which is not installed: pip install 'onnxruntime>=1.32,<1.33'"
    )
    having(monkeypatch, onnx="1.24.0", onnxruntime="1.32.0")
    with pytest.raises(InvalidInput) as raised:
        require("onnx", to_run=False)
    assert (
        str(raised.value)
        == "target is onnx: it needs onnx, which is too new here (1.24.0): pip install 'onnx>=1.23,<1.24'"
    )


def test_another_target_and_another_ability_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"target is tflite: choose one of c, onnx, litert"):
        target("tflite")
    for name, row in TARGETS.items():
        for able in set(ABILITIES) - set(row.able):
            with pytest.raises(InvalidInput, match=rf"target is {name}: it cannot .* yet: choose one of c"):
                require(name, able, to_run=False)


@pytest.mark.parametrize("row", TARGETS.values(), ids=lambda row: row.name)
def test_every_target_says_what_it_is(row: Target) -> None:
    assert set(row.able) <= set(ABILITIES)
    assert row.what
    assert row.install.startswith("pip install '") or not row.packages


def test_the_bounds_are_those_of_the_project() -> None:
    """A package that pyproject names too has the same bounds there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    said = {r.replace(" ", "") for extra in project["optional-dependencies"].values() for r in extra}
    wanted = {p.name: p.wanted for t in TARGETS.values() for p in t.packages if p.name.startswith("onnx")}
    assert len(wanted) == 2
    for bounds in wanted.values():
        assert bounds in said


def test_asking_imports_no_runtime() -> None:
    code = (
        "import sys; from selvedge.face.runtimes import listing; listing(False); listing(True)\n"
        "assert not {'torch', 'onnx', 'onnxruntime', 'executorch', 'tvm', 'ai_edge_litert'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
