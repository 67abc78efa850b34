"""Tables and series: columns by name, windows that do not leak, and a cell that is wrong is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selvedge.artifact.features import Columns
from selvedge.data import load
from selvedge.data.inputs import read
from selvedge.errors import InvalidInput

from .folders import flowers


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return flowers(tmp_path / "flowers.csv")


def series(path: Path, rows: int = 480) -> Path:
    """A slow and a fast wave, a stretch of each in turn; the row's number is a column, so that leaks show."""
    lines = ["number,wave,label"]
    for i in range(rows):
        fast = i // 60 % 2
        lines.append(f"{i},{np.sin(i * (0.2 + 0.6 * fast)):.5f},{'fast' if fast else 'slow'}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_columns_are_found(table: Path) -> None:
    data = load(f"{table}:group=subject")
    assert isinstance(data.features, Columns)
    assert data.features.names == ("length", "width")
    assert any("time is not learnt from" in n for n in data.notes)
    (learnt,) = [n for n in data.notes if "is what is learnt; label= names another" in n]
    assert not any("is what is learnt" in n for n in load(f"{table}:group=subject,label={learnt.split()[1]}").notes)
    assert data.labels == ("narrow", "wide")
    assert data.groups is not None
    assert sum(len(set(data.groups[r].tolist())) for r in data.split.values()) == 6
    train = np.asarray(data.x[data.split["train"]])
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(0), 1, atol=1e-4)


def test_options_choose_columns(table: Path) -> None:
    assert load(f"{table}:columns=width+time,drop=subject").features.names == ("width", "time")  # type: ignore[union-attr]
    assert load(f"{table}:drop=width+subject").features.names == ("length",)  # type: ignore[union-attr]
    assert len(load(f"{table}:drop=subject,limit=5")) == 10
    values = load(f"{table}:label=width,drop=label+subject", task="values")
    assert values.y is not None
    assert (values.y.shape, values.y.dtype, values.labels) == ((60, 1), np.float32, ())


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_and_marks(tmp_path: Path, delimiter: str) -> None:
    lines = ["a,b,label"] + [f"{i},{i % 3}.5,{'xy'[i % 2]}" for i in range(20)]
    path = tmp_path / "t.csv"
    path.write_text("\ufeff" + "\r\n".join(lines).replace(",", delimiter) + "\r\n\r\n")
    assert load(str(path)).features.names == ("a", "b")  # type: ignore[union-attr]


def test_windows_of_one_class_that_share_no_row_across_the_split(tmp_path: Path) -> None:
    path = series(tmp_path / "s.csv")
    data = load(f"{path}:window=16,hop=4,normalise=none")
    assert (data.kind, data.shape) == ("windows", (2, 16))
    rows = {p: {int(v) for v in np.asarray(data.x[r])[:, 0].ravel()} for p, r in data.split.items()}
    assert not rows["train"] & rows["test"]
    assert not rows["train"] & rows["validation"]
    assert not rows["test"] & rows["validation"]
    assert data.y is not None
    for x, y in zip(np.asarray(data.x), data.y, strict=True):
        assert {data.labels[y]} == {"fast" if int(n) // 60 % 2 else "slow" for n in x[0]}
    assert any("over two classes" in n for n in data.notes)


@pytest.mark.parametrize("shape", [(2, 16), (16, 2), (1, 2, 16), (1, 16, 2), (32,)])
def test_windows_follow_the_model(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = series(tmp_path / "s.csv")
    data = load(f"{path}:window=16,hop=16", shape)
    plain = load(f"{path}:window=16,hop=16", (2, 16))
    first, expected = np.asarray(data.x[np.array([0])])[0], np.asarray(plain.x[np.array([0])])[0]
    turned = expected.T if [n for n in shape if n > 1] == [16, 2] else expected
    np.testing.assert_array_equal(first, turned.reshape(shape))
    found = read(path, data.features, shape)
    np.testing.assert_array_equal(found[0], first)
    assert len(found) == 30


def test_the_model_may_choose_the_window(tmp_path: Path) -> None:
    data = load(str(series(tmp_path / "s.csv")), (2, 24))
    assert isinstance(data.features, Columns)
    assert (data.features.window, data.features.hop) == (24, 12)


def test_predicting_reads_what_training_read(table: Path) -> None:
    data = load(f"{table}:drop=subject")
    np.testing.assert_array_equal(read(table, data.features, (2,)), data.x)
    without = table.with_name("new.csv")
    without.write_text("width,length\n1.5,2.5\n")
    made = read(without, data.features, (2,))
    assert made.shape == (1, 2)
    expected = [
        (v - m) / s
        for v, m, s in zip((2.5, 1.5), data.features.mean, data.features.std, strict=True)  # type: ignore[union-attr]
    ]
    np.testing.assert_allclose(made[0], expected, rtol=1e-5)


def test_a_folder_of_tables_has_groups_by_name(tmp_path: Path) -> None:
    for i in range(4):
        series(tmp_path / f"s{i}_run.csv", 240)
    data = load(f"{tmp_path}:window=16,hop=8,pattern={{group}}_run.csv")
    assert data.groups is not None
    assert sum(len(set(data.groups[r].tolist())) for r in data.split.values()) == 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is empty"),
        ("a,b,label\n", "no rows"),
        ("1,2,3\n4,5,6\n", "first row is numbers"),
        ("a,a,label\n1,2,x\n", "twice"),
        ("a,b,label\n1,2,x\n1,nan,y\n", "row 3 column b is nan: a finite number"),
        ("a,b,label\n1,2,x\n1,inf,y\n", "row 3 column b is inf"),
        ("a,b,label\n1,2,x\n1,,y\n", "row 3 column b is empty"),
        ("a,b,label\n1,2,x\n1,two,y\n", "row 3 column b is two: .* drop=b"),
        ("a,b,label\n1,2,x\n1,2\n", "row 3 has 2 cells, the first has 3"),
        ("a,b,label\n1,2,x\n1,2,\n", "row 3 column label is empty"),
        ("a,b,label\n1,2,x\n1,3,x\n1,4,x\n1,4,x\n", "at least two"),
        ("time,label\n1,x\n2,y\n", "no column is left"),
        ("a\x00,b,label\n\xff", "save it as CSV in UTF-8"),
    ],
)
def test_what_is_wrong_in_a_table_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidInput, match=says):
        load(str(path))
