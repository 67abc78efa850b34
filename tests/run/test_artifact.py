"""An artifact is loaded whole or refused in one line; it is written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import selvedge as sv
from selvedge.errors import InvalidInput

from .models import batch, plan


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sv.emit(plan(), "c", tmp_path_factory.mktemp("emitted") / "artifact")


@pytest.fixture
def artifact(emitted: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(emitted, tmp_path / "artifact"))


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    data = json.loads((folder / "manifest.json").read_text())
    change(data)
    (folder / "manifest.json").write_text(json.dumps(data))


def rewrite(folder: Path, name: str, content: bytes) -> None:
    """Replace a file, and its hash in the manifest with it."""
    (folder / name).write_bytes(content)
    change_manifest(folder, lambda m: m["files"].update({name: hashlib.sha256(content).hexdigest()}))


def refusal(folder: Path) -> str:
    with pytest.raises(InvalidInput) as caught:
        sv.load(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_loaded_artifact_is_the_compiled_plan(artifact: Path) -> None:
    x, y = batch()
    loaded, compiled = sv.load(artifact), sv.compile(plan())
    for _ in range(3):
        assert loaded.step(x, y) == compiled.step(x, y)
    np.testing.assert_array_equal(loaded.predict(x), compiled.predict(x))


def test_same_plan_emits_the_same_bytes(artifact: Path, tmp_path: Path) -> None:
    again = sv.emit(plan(), "c", tmp_path / "again")
    names = sorted(f.name for f in artifact.iterdir())
    assert names == sorted(f.name for f in again.iterdir())
    for name in names:
        assert (artifact / name).read_bytes() == (again / name).read_bytes(), name


@pytest.mark.parametrize("name", ["model.c", "weights.bin", "selvedge.h", "extra.npz"])
def test_tampered_file(artifact: Path, name: str) -> None:
    content = bytearray((artifact / name).read_bytes())
    content[len(content) // 2] ^= 1
    (artifact / name).write_bytes(content)
    assert name in refusal(artifact)
    assert "does not match its hash" in refusal(artifact)


@pytest.mark.parametrize("name", ["model.c", "weights.bin", "selvedge.h", "extra.npz", "manifest.json"])
def test_missing_file(artifact: Path, name: str) -> None:
    (artifact / name).unlink()
    assert name in refusal(artifact)


@pytest.mark.parametrize("name", ["model.c", "weights.bin", "extra.npz"])
def test_file_missing_from_the_manifest(artifact: Path, name: str) -> None:
    change_manifest(artifact, lambda m: m["files"].pop(name))
    assert f"{name} is missing" in refusal(artifact)


def test_no_artifact_at_all(tmp_path: Path) -> None:
    assert "manifest.json cannot be read" in refusal(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '"text"', '{"format": 1}', "\0"])
def test_manifest_that_is_none(artifact: Path, text: str) -> None:
    (artifact / "manifest.json").write_text(text)
    assert "manifest" in refusal(artifact)


def test_manifest_that_is_not_text(artifact: Path) -> None:
    (artifact / "manifest.json").write_bytes(b"\xff\xfe\xfa")
    assert "manifest.json cannot be read" in refusal(artifact)


@pytest.mark.parametrize("name", ["../weights.bin", "/etc/hostname", "folder/file", ".."])
def test_file_outside_the_artifact(artifact: Path, name: str) -> None:
    (artifact.parent / "weights.bin").write_bytes(b"secret")
    change_manifest(artifact, lambda m: m["files"].update({name: hashlib.sha256(b"secret").hexdigest()}))
    assert "artifact's own directory" in refusal(artifact)


def set_to(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda m: m.update({key: value})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (set_to("format", 99), "format"),
        (set_to("target", "cobol"), "target"),
        (set_to("unknown", 1), "unknown"),
        (set_to("files", ["model.c"]), "cannot be read"),
        (set_to("schedule", {"schedule": "never"}), "schedule"),
        (set_to("arena_bytes", 16), "persistent_bytes is"),
        (set_to("arena_bytes", "many"), "cannot be read"),
        (set_to("weights_bytes", 0), "bytes at"),
        (lambda m: m["state"]["head.bias"].update(offset=-4), "whole number"),
        (lambda m: m["state"]["head.bias"].update(region="cloud"), "neither in state nor in flash"),
        (lambda m: m["state"]["head.bias"].update(dtype="complex64"), "cannot be read"),
        (lambda m: m["programs"]["step"]["inputs"]["x"].update(offset=1 << 40), "bytes at"),
        (lambda m: m["programs"]["step"]["inputs"]["x"]["layout"].update(perm=[0, 0, 1, 2]), "perm"),
    ],
)
def test_manifest_that_contradicts_itself(artifact: Path, change: Callable[[dict[str, Any]], None], says: str) -> None:
    change_manifest(artifact, change)
    assert says in refusal(artifact)


def test_truncated_weights(artifact: Path) -> None:
    rewrite(artifact, "weights.bin", (artifact / "weights.bin").read_bytes()[:-1])
    assert "weights is" in refusal(artifact)


def test_unknown_target(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="choose one of c"):
        sv.emit(plan(), "cobol", tmp_path / "out")
    assert not list(tmp_path.iterdir())


# -- writing ----------------------------------------------------------------------------------------------------------


def refused_output(target: Path) -> str:
    with pytest.raises(InvalidInput) as caught:
        sv.emit(plan(), "c", target)
    assert "\n" not in str(caught.value)
    assert f" is {target}: " in str(caught.value)
    return str(caught.value)


def test_output_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    assert "it is a file" in refused_output(tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_output_holds_other_files(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    assert "other files" in refused_output(tmp_path / "out")
    assert [p.name for p in tmp_path.rglob("*")] == ["out", "thesis.tex"]


def test_output_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert "cannot write there" in refused_output(tmp_path / "file" / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_output_where_nobody_can_write() -> None:
    assert "cannot write there" in refused_output(Path("/proc/selvedge"))


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["write_bytes", "write_text"])
def test_disk_full_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.setattr(Path, call, full)
    assert "No space left" in refused_output(tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_disk_full_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.setattr(os, call, full)
    assert "No space left" in refused_output(tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("failing", [0, 1])
def test_earlier_artifact_survives_a_failure(artifact: Path, monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    """Replacing takes two renames; whichever fails, the old artifact is where it was."""
    before = {f.name: f.read_bytes() for f in artifact.iterdir()}
    rename, calls = os.replace, iter(range(9))
    monkeypatch.setattr(os, "replace", lambda a, b: full() if next(calls) == failing else rename(a, b))
    assert "No space left" in refused_output(artifact)
    assert {f.name: f.read_bytes() for f in artifact.iterdir()} == before
    assert [p.name for p in artifact.parent.iterdir()] == ["artifact"]


def test_earlier_artifact_is_replaced(artifact: Path) -> None:
    manifest = json.loads((artifact / "manifest.json").read_text())
    manifest["files"]["stale.h"] = "of an earlier version"
    (artifact / "manifest.json").write_text(json.dumps(manifest))
    (artifact / "stale.h").write_text("old")
    sv.emit(plan(), "c", artifact)
    assert not (artifact / "stale.h").exists()
    assert sv.load(artifact).manifest.name == "model"
    assert [p.name for p in artifact.parent.iterdir()] == ["artifact"]


def test_interrupted_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sv.emit(plan(), "c", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_what_the_loss_was_given_travels(tmp_path: Path) -> None:
    given = (
        (sv.CrossEntropy(label_smoothing=0.1), {"label_smoothing": 0.1}),
        (sv.MSE(), {}),
    )
    for loss, options in given:
        made = sv.plan(torch.nn.Linear(4, 3), torch.zeros(2, 4), device="nrf52832", loss=loss)
        assert made.to_dict()["loss_options"] == options
        sv.emit(made, "c", tmp_path / "made")
        assert sv.load(tmp_path / "made").manifest.loss_options == options


def test_a_manifest_of_before_them_says_nothing_of_its_loss_options(artifact: Path) -> None:
    change_manifest(artifact, lambda m: m.pop("loss_options"))
    assert sv.load(artifact).manifest.loss_options == {}
    change_manifest(artifact, lambda m: m.update(loss_options=[1]))
    assert "loss_options" in refusal(artifact)
