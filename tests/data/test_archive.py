"""Archives that numpy reads."""

from __future__ import annotations

import io

import numpy as np
import pytest

from selvedge.data.archive import npz


def test_numpy_reads_what_was_written_under_any_name() -> None:
    given = {
        "file": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "allow_pickle": np.array(3, np.int64),
        "0.weight": np.zeros((0, 4), np.uint8),
    }
    with np.load(io.BytesIO(npz(given)), allow_pickle=False) as read:
        assert read.files == list(given)
        for name, array in given.items():
            assert read[name].dtype == array.dtype
            np.testing.assert_array_equal(read[name], array)


def test_objects_are_not_written() -> None:
    with pytest.raises(ValueError, match="Object arrays"):
        npz({"a": np.array([{}])})
