"""Nothing of the user's is ever lost to a write, and nothing is left half-written."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.artifact import files

BOARD = sv.Device(name="board", ram="1MiB", flash="1MiB")


@pytest.fixture(scope="module")
def plan() -> sv.Plan:
    return sv.plan(nn.Linear(4, 3), torch.zeros(1, 4), device=BOARD)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("manifest", ['{"name": "My web app", "icons": []}', "{}", "[]", '{"format": 1}', "\0"])
def test_a_directory_with_another_manifest_is_not_ours(plan: sv.Plan, tmp_path: Path, manifest: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    (tmp_path / "pool.h").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(sv.InvalidInput, match="other files"):
        sv.emit(plan, "c", tmp_path)
    assert contents(tmp_path) == before


def test_a_file_that_the_earlier_artifact_did_not_list_is_the_users(plan: sv.Plan, tmp_path: Path) -> None:
    out = sv.emit(plan, "c", tmp_path / "out")
    data = json.loads((out / "manifest.json").read_text())
    del data["files"]["pool.h"]
    (out / "manifest.json").write_text(json.dumps(data))
    (out / "pool.h").write_text("mine")
    before = contents(out)
    with pytest.raises(sv.InvalidInput, match=r"pool\.h in it is yours"):
        sv.emit(plan, "c", out)
    assert contents(out) == before
    assert os.listdir(tmp_path) == ["out"]


def test_the_working_directory_and_a_link_are_filled(
    plan: sv.Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "link").symlink_to(here)
    monkeypatch.chdir(here)
    for out in (".", ".", tmp_path / "link"):
        sv.emit(plan, "c", out)
        assert sv.load(".").steps == 0  # the shell that stands here sees it
        (here / "main.c").write_text("mine")
    assert (here / "main.c").read_text() == "mine"
    assert (tmp_path / "link").is_symlink()


@pytest.fixture(params=["replaced whole", "filled"])
def earlier(request: pytest.FixtureRequest, plan: sv.Plan, tmp_path: Path) -> Iterator[Path]:
    out = sv.emit(plan, "c", tmp_path / "out")
    (out / "main.c").write_text("mine")
    before = os.getcwd()
    if request.param == "filled":
        os.chdir(out)
    yield out
    os.chdir(before)


@pytest.mark.parametrize("when", [0, 1, 3, 22, 30])
def test_an_interrupt_between_renames_loses_nothing(
    plan: sv.Plan, earlier: Path, monkeypatch: pytest.MonkeyPatch, when: int
) -> None:
    before, rename, calls = contents(earlier), os.replace, iter(range(99))

    def interrupted(source: Path, target: Path) -> None:
        rename(source, target)
        if next(calls) == when:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    try:
        sv.emit(plan, "c", earlier)
    except KeyboardInterrupt:
        monkeypatch.setattr(os, "replace", rename)
    assert contents(earlier) == before  # the same plan: whole before is whole after
    assert os.listdir(earlier.parent) == ["out"]
    sv.load(earlier)


@pytest.mark.parametrize("name", ["a" * 300, "sub/" + "a" * 300, "nul\0"])
def test_names_that_no_file_can_have_are_one_line(plan: sv.Plan, tmp_path: Path, name: str) -> None:
    for call in (lambda p: sv.emit(plan, "c", p), lambda p: files.write(p, b"x"), sv.load, sv.Device.load):
        with pytest.raises(sv.InvalidInput) as caught:
            call(tmp_path / f"{name}")
        assert "\n" not in str(caught.value)


def test_a_link_is_followed_and_what_is_no_file_refused(tmp_path: Path) -> None:
    target, link, fifo = tmp_path / "target", tmp_path / "link", tmp_path / "fifo"
    target.write_text("old")
    link.symlink_to(target)
    files.write(link, b"new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    os.mkfifo(fifo)
    for path in (fifo, Path("/dev/null"), tmp_path):
        with pytest.raises(sv.InvalidInput, match="no regular file"):
            files.write(path, b"x")
    assert stat.S_ISFIFO(fifo.lstat().st_mode)


@pytest.mark.parametrize("mask", [0o077, 0o022])
def test_the_umask_holds(plan: sv.Plan, tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        files.write(tmp_path / "file", b"x")
        out = sv.emit(plan, "c", tmp_path / "out")
    finally:
        os.umask(before)
    for path in (tmp_path / "file", out, out / "manifest.json", out / "model.c"):
        assert stat.S_IMODE(path.stat().st_mode) & mask == 0
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~mask
