"""Arrays from an .npz and from a user's function."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selvedge.data import load, survey
from selvedge.data.arrays import fitted
from selvedge.errors import InvalidInput


def saved(path: Path, **arrays: Any) -> str:
    np.savez(path / "a.npz", **arrays)
    return str(path / "a.npz")


X = np.random.default_rng(0).standard_normal((30, 6)).astype(np.float32)
Y = np.arange(30) % 3


def test_an_archive(tmp_path: Path) -> None:
    data = load(saved(tmp_path, x=X, y=Y, group=np.arange(30) // 5))
    np.testing.assert_array_equal(data.x, X)
    assert (data.labels, data.shape) == (("0", "1", "2"), (6,))
    assert data.groups is not None
    assert sum(len(set(data.groups[r].tolist())) for r in data.split.values()) == 6


def test_labels_are_ordered_as_numbers(tmp_path: Path) -> None:
    data = load(saved(tmp_path, x=X, y=np.array([2, 10, 9])[Y]))
    assert data.labels == ("2", "9", "10")
    assert data.y is not None
    assert data.y[:3].tolist() == [0, 2, 1]
    assert load(saved(tmp_path, x=X, y=np.array(["b", "a", "c"])[Y])).labels == ("a", "b", "c")


def test_tasks(tmp_path: Path) -> None:
    values = load(saved(tmp_path, x=X, y=X[:, :2]), task="values")
    np.testing.assert_array_equal(values.y, X[:, :2])  # type: ignore[arg-type]
    hot = load(saved(tmp_path, x=X, y=Y), task="probabilities", outputs=3)
    np.testing.assert_array_equal(hot.y, np.eye(3)[Y])  # type: ignore[arg-type]
    one = load(saved(tmp_path, x=X, y=Y % 2), task="probabilities", outputs=1)
    np.testing.assert_array_equal(one.y, (Y % 2)[:, None])  # type: ignore[arg-type]
    assert load(saved(tmp_path, x=X), task="none").y is None


def test_a_class_a_place_has_no_one_class_to_split_by(tmp_path: Path) -> None:
    places = np.random.default_rng(0).integers(0, 3, (30, 8, 8))
    data = load(saved(tmp_path, x=X, y=places))
    assert data.y is not None
    np.testing.assert_array_equal(data.y, places)
    assert sum(len(rows) for rows in data.split.values()) == len(X)


def test_bytes_have_a_preprocessing(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 255, (30, 5, 4, 3)).astype(np.uint8)
    data = load(saved(tmp_path, x=x, y=Y), (3, 5, 4))
    np.testing.assert_array_equal(data.x, x.transpose(0, 3, 1, 2))
    assert data.preprocess is not None
    assert abs(float(data.preprocess(np.asarray(data.x[data.split["train"]])).mean())) < 1e-4


def test_axes_of_length_one_come_and_go() -> None:
    x = np.zeros((4, 8, 8))
    assert fitted(x, (1, 8, 8), "x").shape == (4, 1, 8, 8)
    assert fitted(x, (64,), "x").shape == (4, 64)
    with pytest.raises(InvalidInput, match=r"model input is \[3, 8, 8\]: the samples of x are \[8, 8\]"):
        fitted(x, (3, 8, 8), "x")


@pytest.mark.parametrize(
    "body",
    [
        "return X, Y",
        "return {'x': X, 'y': Y}",
        "return ((x, y) for x, y in zip(X, Y))",
        "import torch; return torch.from_numpy(X), torch.from_numpy(Y)",
    ],
)
def test_a_function_may_return_what_it_has(tmp_path: Path, body: str) -> None:
    np.save(tmp_path / "x.npy", X)
    here = (
        "import numpy as np, pathlib\nX = np.load(pathlib.Path(__file__).with_name('x.npy'))\nY = np.arange(30) % 3\n"
    )
    (tmp_path / "loader.py").write_text(f"{here}def data():\n    {body}\n")
    data = load(f"{tmp_path / 'loader.py'}:data")
    np.testing.assert_array_equal(data.x, X)
    assert data.y is not None
    assert data.y.tolist() == Y.tolist()


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"y": Y}, "it holds y: x is needed"),
        ({"x": X, "y": Y[:-1]}, "y is 29 long: x has 30"),
        ({"x": X[:, 0], "y": Y}, "one row a sample"),
        ({"x": X.astype(str), "y": Y}, "give numbers"),
        ({"x": X}, "labels is missing"),
        ({"x": X, "y": Y * 0}, "at least two"),
        ({"x": X, "y": Y + 0.5}, "fractions, not classes"),
        ({"x": np.where(np.arange(30)[:, None] == 7, np.nan, X), "y": Y}, "not finite at sample 7"),
    ],
)
def test_what_is_wrong_in_an_archive_is_named(tmp_path: Path, arrays: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        load(saved(tmp_path, **arrays))


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return exec, ("raise SystemExit('unpickled')",)

    path = saved(tmp_path, x=np.array([Trap()], object))
    with pytest.raises(InvalidInput, match="cannot be read"):
        load(path)


def test_more_than_memory_is_refused_with_its_bytes(tmp_path: Path) -> None:
    path = saved(tmp_path, x=np.zeros((100, 100), np.float32), y=np.arange(100) % 2)
    with pytest.raises(InvalidInput, match=r"it needs 41,[\d,]+ B of memory, 16,384 B may be used"):
        load(f"{path}:memory=16KiB")


def test_a_path_is_a_spec_and_a_number_is_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", x=np.zeros((30, 4), np.float32), y=np.arange(30) % 2)
    assert len(load(tmp_path / "own.npz")) == 30
    assert survey(tmp_path / "own.npz").natural == (4,)
    with pytest.raises(InvalidInput, match="--data is of type int"):
        load(5)  # type: ignore[arg-type]
