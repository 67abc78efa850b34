"""Case by case: what is there is not made again, and what cannot be is one line."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from benchmarks.cases import Case, run


def test_a_run_goes_on_behind_the_last_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made: list[tuple[str, int, int]] = []

    def case(task: str, seed: int, fold: int, given: argparse.Namespace) -> Case:
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append((task, seed, fold))
        return {"name": f"{task}{seed}{fold}", "seconds": 1.0}

    def go(*more: str) -> int:
        arguments = ["--seeds", "2", "--out", str(tmp_path), *more]
        names = {"a": 1, "b": 2}
        return run("x", "x.", names, lambda _: None, case, lambda c: " ".join(f["name"] for f in c), arguments)

    with pytest.raises(KeyboardInterrupt):
        go()
    assert go("--show") == 0
    assert capsys.readouterr().out.split() == ["a00", "b00", "b01"]
    made.clear()
    assert go() == 0
    assert made == [("a", 1, 0), ("b", 1, 0), ("b", 1, 1)]
    assert capsys.readouterr().out.split() == ["a00", "b00", "b01", "a10", "b10", "b11"]
    assert go("--folds", "1", "--seeds", "1") == 0
    assert capsys.readouterr().out.split() == ["a00", "b00"]


def test_a_benchmark_may_keep_its_cases_in_a_folder_of_its_own(tmp_path: Path) -> None:
    def case(task: str, seed: int, fold: int, given: argparse.Namespace) -> Case:
        return {"seconds": 1.0}

    kept = tmp_path / "kept"
    assert run("x", "x.", {"a": 1}, lambda _: None, case, lambda _: "", ["--seeds", "1"], kept=kept) == 0
    assert [path.name for path in kept.iterdir()] == ["a-0-0.json"]


def test_all_that_is_kept_is_written_where_that_is_asked_for(tmp_path: Path) -> None:
    written: list[Path] = []

    def go(*more: str) -> int:
        arguments, kept = ["--seeds", "1", *more], tmp_path / "kept"
        write = (written.append, "a page")
        return run(
            "x", "x.", {"a": 1}, lambda _: None, lambda *_: {"seconds": 1.0}, str, arguments, kept=kept, write=write
        )

    assert (go(), written) == (0, [])
    assert (go("--write"), written) == (0, [tmp_path / "kept"])
    assert (go("--write", "--tasks", "b"), written) == (2, [tmp_path / "kept"])


def test_unknown_tasks_and_absent_data_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def go(task: str) -> int:
        arguments = ["--tasks", task, "--out", str(tmp_path)]
        return run("x", "x.", {"a": 1}, lambda _: "/none", lambda *_: {}, lambda _: "", arguments)

    assert (go("b"), go("a")) == (2, 2)
    assert capsys.readouterr().err.splitlines() == [
        "benchmarks.x: --tasks is b: give some of a",
        "benchmarks.x: a needs /none: set SELVEDGE_DATA",
    ]
