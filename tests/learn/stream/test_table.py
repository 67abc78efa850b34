"""Rows and windows of a CSV file: what is missing, what is bad, and going on in the middle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.artifact.features import Columns
from selvedge.errors import InvalidInput
from selvedge.learn.stream.faults import Faults
from selvedge.learn.stream.sample import Face, Sample
from selvedge.learn.stream.table import Table

FACE = Face((2,), np.dtype(np.float32), ("cat", "dog"), 2)


def table(path: Path, text: str, face: Face = FACE, **given: object) -> Table:
    (path / "s.csv").write_text(text)
    return Table(path / "s.csv", face, **given)  # type: ignore[arg-type]


def rows(source: Table) -> list[tuple[int, list[float], int | None]]:
    return [(s.number, s.x.ravel().tolist(), s.y) for s in source]


TEXT = "time,a,b,label\n10,1,2,cat\n11,,4,dog\n12,5,x,cat\n13,7,8\n14,9,10,\n2020-01-01T00:00:00,11,nan,dog\n"


def test_rows_are_samples_and_bad_ones_are_told_with_file_row_and_column(tmp_path: Path) -> None:
    told: list[str] = []
    faults = Faults(told.append)
    source = table(tmp_path, TEXT, faults=faults)
    assert rows(source) == [(0, [1, 2], 0), (4, [9, 10], None)]
    assert (faults.count, faults.missing) == (2, 2)
    assert "s.csv row 4 column b is x: a finite number is needed" in told[0]
    assert "s.csv row 5 is 3 cells: the first row has 4" in told[1]
    assert [s.time for s in source] == [10, 14]


def test_what_is_missing_is_held_or_filled_with_the_mean_of_a_window(tmp_path: Path) -> None:
    held = rows(table(tmp_path, TEXT, missing="hold"))
    assert held == [(0, [1, 2], 0), (1, [1, 4], 1), (4, [9, 10], None), (5, [11, 10], 1)]
    mean = rows(table(tmp_path, TEXT, missing="mean", over=2))
    assert mean[-1] == (5, [11, 7], 1)  # of 4 and 10
    assert rows(table(tmp_path, "a,b\n,1\n2,3\n", missing="hold")) == [(1, [2, 3], None)]


def test_times_are_seconds_or_iso(tmp_path: Path) -> None:
    *_, last = table(tmp_path, TEXT, missing="hold")
    assert last.time == 1577836800  # 2020-01-01 UTC, by `date -d 2020-01-01Z +%s`


def test_strict_ends_at_the_first_bad_row(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="row 4 column b is x"):
        list(table(tmp_path, TEXT, faults=Faults(strict=True)))


def test_an_unknown_class_is_told_and_the_sample_comes_without_one(tmp_path: Path) -> None:
    told: list[str] = []
    assert rows(table(tmp_path, "a,b,label\n1,2,cow\n", faults=Faults(told.append))) == [(0, [1, 2], None)]
    assert told[0].startswith("used without its class: ")
    assert "column label is cow: give one of cat, dog" in told[0]


def test_an_unreadable_time_is_told_and_the_number_stands_for_it(tmp_path: Path) -> None:
    told: list[str] = []
    (found,) = table(tmp_path, "time,a,b\nnoon,1,2\n", faults=Faults(told.append))
    assert (found.time, found.x.tolist()) == (0, [1, 2])
    assert told[0].startswith("used without its time: ")


@pytest.mark.parametrize("names", [(), ("cat", "dog")])
@pytest.mark.parametrize(
    ("text", "said"), [("1", 1), ("1.0", 1), ("inf", None), ("nan", None), ("0.5", None), ("2", None)]
)
def test_a_class_is_a_name_or_a_number(names: tuple[str, ...], text: str, said: int | None) -> None:
    face = Face((2,), np.dtype(np.float32), names, 2)
    if said is None:
        with pytest.raises(ValueError, match=r"class, 0\.\.1"):
            face.label(text)
    else:
        assert face.label(text) == said


def test_columns_in_the_place_of_the_models_own_are_as_many(tmp_path: Path) -> None:
    own = Columns(("a", "b"), (2,), mean=(1.0, 2.0), std=(1.0, 1.0))
    with pytest.raises(InvalidInput, match="stream columns is b: the model learnt from a, b: give one in the place of"):
        table(tmp_path, "a,b\n1,2\n", features=own, names=("b",))
    assert rows(table(tmp_path, "a,b\n1,2\n", features=own, names=("b", "a"))) == [(0, [1, -1], None)]


def test_windows_are_those_of_numpy_and_scaled_as_the_data_was(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    text = "a,b\n" + "".join(f"{a!r},{b!r}\n" for a, b in values.tolist())
    columns = Columns(("a", "b"), (2, 5), window=5, hop=3, mean=(1.0, 2.0), std=(2.0, 4.0))
    source = table(tmp_path, text, Face((2, 5), np.dtype(np.float32)), features=columns)
    wanted = np.lib.stride_tricks.sliding_window_view(values, 5, axis=0)[::3]
    wanted = (wanted - np.array([[1], [2]])) / np.array([[2], [4]])
    found = list(source)
    np.testing.assert_allclose([s.x for s in found], wanted, rtol=1e-6)
    assert [s.number for s in found] == list(range(4, 20, 3))


@settings(max_examples=40)
@given(st.lists(st.sampled_from(["1", "2.5", "", "bad", "nan", "-3"]), min_size=1, max_size=12), st.integers(0, 12),
       st.sampled_from(["skip", "hold", "mean"]))  # fmt: skip
def test_going_on_at_any_place_gives_the_rest_of_the_same(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str], position: int, missing: str
) -> None:
    text = "a,b\n" + "".join(f"{cell},1\n" for cell in cells)
    folder = tmp_path_factory.mktemp("t")
    whole = list(table(folder, text, missing=missing))
    source = table(folder, text, missing=missing)
    source.seek(position)
    assert _same(list(source), [s for s in whole if s.number >= position])


def _same(a: list[Sample], b: list[Sample]) -> bool:
    return [(s.number, s.x.tolist(), s.y) for s in a] == [(s.number, s.x.tolist(), s.y) for s in b]


@pytest.mark.parametrize(
    ("text", "given", "said"),
    [
        ("1,2\n3,4\n", {}, "its first row must name every column"),
        ("a,a\n3,4\n", {}, "its first row must name every column"),
        ("a,b\n", {"label": "c"}, "stream label is c: s.csv has a, b"),
        ("a,b,c\n", {"label": ""}, "model input"),
        ("a,b\n", {"missing": "guess"}, "stream missing is guess: give one of skip, hold, mean"),
        ("a,b\n", {"over": 0}, "stream over is 0"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, text: str, given: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        table(tmp_path, text, **given)
