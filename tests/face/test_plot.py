"""``selvedge plan --plot``: a whole page or picture, or one line and nothing written."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from .command import run

PLAN = ("plan", "zoo:ds_cnn?norm=none", "--device", "stm32f746", "--update", "last:2")


def test_a_page_and_a_picture_are_written_whole(tmp_path: Path) -> None:
    done = run(*PLAN, "--plot", "deep/plan.html", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("drawn in deep/plan.html\n")
    page = (tmp_path / "deep" / "plan.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.endswith("</html>\n")
    assert "ds_cnn on stm32f746" in page
    assert run(*PLAN, "--plot", "plan.svg", "--json", cwd=tmp_path).out.startswith("{")
    ET.parse(tmp_path / "plan.svg")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["deep", "plan.html", "plan.svg"]


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("plan.png", "end it in .html (the whole page) or .svg (the memory timeline)"),
        ("plan", "end it in .html"),
        ("taken.html", "it is a directory: name a file"),
        ("file/plan.html", "nothing can be written in"),
    ],
)
def test_a_place_that_cannot_be_is_refused_before_the_work(tmp_path: Path, place: str, says: str) -> None:
    (tmp_path / "taken.html").mkdir()
    (tmp_path / "file").write_text("")
    before = sorted(tmp_path.rglob("*"))
    done = run("plan", "no-such-model", "--plot", place, cwd=tmp_path)  # the model is not even looked at
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("selvedge: --plot is ")
    assert says in done.err
    assert done.err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_refused_plan_draws_nothing(tmp_path: Path) -> None:
    done = run(*PLAN, "--budget", "ram=1KiB", "--plot", "plan.html", cwd=tmp_path)
    assert done.code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    done = run(*PLAN, "--plot", "plan.html", cwd=tmp_path, largest_file=4096)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
