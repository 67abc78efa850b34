"""``selvedge contribute``, and plans by what it wrote."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

import selvedge as sv

from .command import run

ON = ("--device", "stm32f746")


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """A user's folder with models and loaders."""
    for name in ("mine.py", "loaders.py"):
        shutil.copy(Path(__file__).with_name(name), tmp_path)
    return tmp_path


def test_contributions_are_measured_written_and_planned_by(user: Path) -> None:
    what = ("mine.py:table", "--data", "loaders.py:good")
    made = run("contribute", *what, "--steps", "12", "--json", cwd=user)
    assert (made.code, made.err) == (0, ""), made
    figures = json.loads(made.out)
    read = sv.Contribution.load(user / "contribution.toml")
    assert [t["name"] for t in figures["tensors"]] == [t.name for t in read.ranked()]
    again = run("contribute", *what, "--steps", "12", "--json", cwd=user)
    assert json.loads(again.out) == figures
    other = run("contribute", *what, "--steps", "13", cwd=user)
    assert (other.code, len(other.err.splitlines())) == (2, 1)
    assert "another model, data or settings" in other.err
    given = ("--update", "auto", "--contribution", "contribution.toml")
    tried = run("train", *what, *ON, *given, "--epochs", "1", "--out", "model", "--json", cwd=user)
    assert (tried.code, tried.err) == (0, ""), tried
    said = json.loads(tried.out)["chosen"]
    assert re.match(r"chosen: update \d of 4 tensors with [\d.]+ % of the contribution", said)
    refused = run("train", *what, *ON, "--update", "full", *given[2:], "--out", "other", cwd=user)
    assert (refused.code, len(refused.err.splitlines())) == (2, 1)
    assert 'give update="auto"' in refused.err
