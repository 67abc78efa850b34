"""Recordings of one's own: MATLAB and CSV, and one line for each that is no good."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from selvedge.errors import InvalidInput, NotSupported
from selvedge.learn.anomaly.recordings import directory, read

X = np.random.default_rng(0).standard_normal(2000)


def mat(file: Path, **arrays: object) -> Path:
    pytest.importorskip("scipy.io").savemat(file, arrays, do_compression=True)
    return file


def test_the_drive_end_is_read_where_there_is_one(tmp_path: Path) -> None:
    held = {"X097_FE_time": np.zeros((4000, 1)), "X097_DE_time": X[:, None], "X097RPM": np.array([[1796]])}
    assert (read(mat(tmp_path / "97.mat", **held)) == X).all()


def test_else_the_longest_row_or_column(tmp_path: Path) -> None:
    assert (read(mat(tmp_path / "a.mat", a=X[None], b=np.zeros(1100), c=np.zeros((60, 60)), d="text")) == X).all()


@pytest.mark.parametrize("between", [";", "\t"])
def test_a_decimal_comma_is_read_where_columns_are_apart_by_something_else(tmp_path: Path, between: str) -> None:
    rows = [f"0,5{between}{float(x)!r}".replace(".", ",") for x in X]
    (tmp_path / "a.csv").write_text("\n".join(["\ufefft" + between + "x", *rows]), "utf-8")
    assert (read(tmp_path / "a.csv") == X).all()


@pytest.mark.parametrize("form", ["{}\n", "time,acc\n", "0.5;{}\n", '"0.5","{}"\n'])
def test_a_table_is_read_by_its_last_column(tmp_path: Path, form: str) -> None:
    head = form if "{}" not in form else ""
    row = "0.1,{}\n" if head else form
    (tmp_path / "a.csv").write_text(head + "".join(row.format(repr(float(x))) for x in X))
    assert (read(tmp_path / "a.csv") == X).all()


def test_a_directory_says_by_its_names_what_is_healthy(tmp_path: Path) -> None:
    faulty = ("faults/IR007.csv", "faults/abnormal_2.csv", "unhealthy.csv")
    for name in ("Normal_0.csv", "baseline/day1.CSV", "faults/notes.txt", "run_healthy3.csv", *faulty):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("\n".join(map(str, X)))
    found = directory(tmp_path)
    assert [(r.name, r.healthy) for r in found] == [
        ("Normal_0.csv", True), ("baseline/day1.CSV", True), *((name, False) for name in faulty[:2]),
        ("run_healthy3.csv", True), (faulty[2], False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "it is empty"),
        ("a,b\n", "it is empty"),
        ("1,x\n" * 1100, None),
        ("1,\nx\n", "column 1 of data row 2 is x"),
        ("1,2\n" * 1100 + "1\n", "column 2 of data row 1101 is missing"),
        ("1\n2\n", "it has 2 samples: give 1024 or more"),
        ("1\n" * 1100 + "nan\n", "sample 1100 is not finite: cut it out"),
        ("time,x\nnow,then\n", "its first row of data has no number"),
    ],
)
def test_a_bad_table_is_one_line(tmp_path: Path, content: str, says: str | None) -> None:
    (tmp_path / "bad.csv").write_text(content)
    if says is None:
        assert read(tmp_path / "bad.csv").size == 1100
        return
    with pytest.raises(InvalidInput, match=r"^recording is .*bad\.csv") as caught:
        read(tmp_path / "bad.csv")
    assert says in str(caught.value)


def test_a_bad_matlab_file_is_one_line(tmp_path: Path) -> None:
    good = mat(tmp_path / "good.mat", a=X).read_bytes()
    for name, content in (("cut", good[:300]), ("text", b"no MATLAB at all"), ("empty", b"")):
        (tmp_path / f"{name}.mat").write_bytes(content)
        with pytest.raises(InvalidInput, match=f"{name}.mat: it is no MATLAB file of version 5"):
            read(tmp_path / f"{name}.mat")
    with pytest.raises(InvalidInput, match="it holds no row or column of numbers"):
        read(mat(tmp_path / "square.mat", c=np.zeros((60, 60))))
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="cannot be read as text"):
        read(tmp_path / "bytes.csv")


def test_without_scipy_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(NotSupported, match=r"pip install scipy, or give it as \.csv"):
        read(tmp_path / "a.mat")


def test_a_directory_wants_both_kinds(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="give a directory"):
        directory(tmp_path / "absent")
    (tmp_path / "normal.csv").write_text("\n".join(map(str, X)))
    with pytest.raises(InvalidInput, match="give one of a faulty machine"):
        directory(tmp_path)
    (tmp_path / "normal.csv").rename(tmp_path / "ir.csv")
    with pytest.raises(InvalidInput, match="give one with normal, healthy, baseline in its name"):
        directory(tmp_path)
