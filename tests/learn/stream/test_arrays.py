"""Arrays of files, mapped where they can be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selvedge.errors import InvalidInput
from selvedge.learn.stream.arrays import Arrays, mapped
from selvedge.learn.stream.faults import Faults
from selvedge.learn.stream.sample import Face

FACE = Face((1, 2, 2), np.dtype(np.float32), (), 3)
X = np.random.default_rng(0).normal(size=(5, 2, 2)).astype(np.float32)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_an_npz_gives_its_samples(tmp_path: Path, write: object) -> None:
    write(tmp_path / "a.npz", x=X, y=[0, 1, 2, 3, 0], time=[5, 6, 7, 8, 9])  # type: ignore[operator]
    told: list[str] = []
    source = Arrays(tmp_path / "a.npz", FACE, faults=Faults(told.append))
    found = list(source)
    assert [(s.number, s.time, s.y) for s in found] == [(0, 5, 0), (1, 6, 1), (2, 7, 2), (4, 9, 0)]
    np.testing.assert_array_equal([s.x[0] for s in found], X[[0, 1, 2, 4]])
    assert "a.npz y 3 is 3: give a class, 0..2" in told[0]
    source.seek(2)
    assert [s.number for s in source] == [2, 4]


def test_what_is_not_compressed_stays_on_the_disk(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X, y=np.arange(5))
    np.savez_compressed(tmp_path / "b.npz", x=X)
    np.save(tmp_path / "c.npy", X)
    assert {type(array) for array in mapped(tmp_path / "a.npz").values()} == {np.memmap}
    assert isinstance(mapped(tmp_path / "c.npy")["x"], np.memmap)
    assert not isinstance(mapped(tmp_path / "b.npz")["x"], np.memmap)
    for name in ("a.npz", "b.npz", "c.npy"):
        np.testing.assert_array_equal(mapped(tmp_path / name)["x"], X)


def test_odd_arrays_of_an_archive_are_read_all_the_same(tmp_path: Path) -> None:
    turned = np.asfortranarray(X.transpose(0, 2, 1))
    np.savez(tmp_path / "a.npz", x=turned, none=np.zeros((0, 3)), one=np.array(3.0))
    found = mapped(tmp_path / "a.npz")
    np.testing.assert_array_equal(found["x"], turned)
    assert found["none"].shape == (0, 3)
    assert found["one"] == 3


def test_an_npy_takes_its_classes_from_another(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", np.array([2, 1, 0, 1, 2]))
    assert [s.y for s in Arrays(tmp_path / "x.npy", FACE, y=tmp_path / "y.npy")] == [2, 1, 0, 1, 2]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"z": X}, "it holds z: x is needed"),
        ({"x": X, "y": [1]}, "stream y is of shape .*: x has 5 samples"),
        ({"x": X.reshape(5, 4)[:, :3]}, "reshape them or the model"),
        ({"x": np.array(["a"])}, "give numbers"),
    ],
)
def test_what_does_not_go_together_is_one_line(tmp_path: Path, arrays: dict[str, object], said: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=said):
        Arrays(tmp_path / "a.npz", FACE)


def test_a_damaged_archive_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\3\4 not one")
    with pytest.raises(InvalidInput, match="it cannot be read"):
        Arrays(tmp_path / "a.npz", FACE)


def test_floats_for_a_model_of_bytes_are_left_out(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X)
    faults = Faults()
    assert not list(Arrays(tmp_path / "a.npz", Face((1, 2, 2), np.dtype(np.uint8)), faults=faults))
    assert faults.count == 5
