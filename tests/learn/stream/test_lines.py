"""JSON lines of a file and of a pipe."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from selvedge.artifact.features import Columns
from selvedge.errors import InvalidInput
from selvedge.learn.stream.faults import Faults
from selvedge.learn.stream.lines import Lines, sample
from selvedge.learn.stream.sample import Face

FACE = Face((2, 2), np.dtype(np.float32), ("a", "b"), 2)


def test_lines_of_a_file_and_going_on(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text('{"x": [1, 2, 3, 4], "y": "b", "time": 7}\n\n{"x": [1]}\nnot\n{"x": [[1, 2], [3, 5]]}\n')
    told: list[str] = []
    source = Lines(str(path), FACE, faults=Faults(told.append))
    assert [(s.number, s.time, s.y, s.x.tolist()) for s in source] == [
        (0, 7, 1, [[1, 2], [3, 4]]), (3, 3, None, [[1, 2], [3, 5]]),
    ]  # fmt: skip
    assert "row 3 is" in told[0]
    assert "x is [1]: the model takes [2, 2]" in told[0]
    assert "row 4 is not: it is no JSON" in told[1]
    source.seek(1)
    assert [s.number for s in source] == [3]
    assert source.seekable


def test_a_pipe_is_read_until_nobody_writes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    def write() -> None:
        with (tmp_path / "pipe").open("w") as file:
            file.write("".join(json.dumps({"x": [i] * 4}) + "\n" for i in range(3)))

    thread = threading.Thread(target=write)
    thread.start()
    source = Lines(str(tmp_path / "pipe"), FACE)
    source.seek(10)
    found = list(source)
    thread.join(10)
    assert not source.seekable
    assert [s.number for s in found] == [10, 11, 12]
    assert all(s.time > 1.6e9 for s in found)


def test_columns_by_name_are_scaled_as_the_data_was() -> None:
    columns = Columns(("t", "h"), (2,), mean=(10.0, 0.0), std=(2.0, 1.0))
    made = sample('{"x": {"h": 3, "t": 14, "more": 1}}', 0, Face((2,), np.dtype(np.float32)), columns)
    assert made.x.tolist() == [2, 3]


def test_what_is_no_row_of_columns_says_why() -> None:
    columns, face = Columns(("t", "h"), (2,)), Face((2,), np.dtype(np.float32))
    for line, said in (('{"t": [1], "h": [2]}', "no number a name"), ('{"t": 1, "h": 1' + "0" * 400 + "}", "a float")):
        with pytest.raises(ValueError, match=said):
            sample(f'{{"x": {line}}}', 0, face, columns)
    assert np.isinf(sample('{"x": {"t": 1, "h": 1e39}}', 0, face, columns).x[1])  # the learner refuses it, and counts


def test_a_file_with_numbers_of_its_own_goes_on_behind_them(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    numbered = [f'{{"x": [{i}, 0, 0, 0], "number": {1000 + 2 * i}}}\n' for i in range(4)]
    path.write_text("".join([*numbered[:2], "not\n", *numbered[2:], '{"x": [9, 0, 0, 0]}\n']))
    told: list[str] = []
    source = Lines(str(path), FACE, faults=Faults(told.append))
    assert [s.number for s in source] == [1000, 1002, 1004, 1006, 1007]
    assert len(told) == 1
    source.seek(1003)
    assert [(s.number, s.x[0, 0]) for s in source] == [(1004, 2), (1006, 3), (1007, 9)]
    source.seek(1005)
    assert [s.number for s in source] == [1006, 1007]
    assert len(told) == 2  # of the line behind 1002, which a seek to 1005 does not tell again


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param('{"x": [1, 2, 3, 1' + "0" * 400 + "]}", "more than a float", id="a long number"),
        ('{"x": [1, 2, 3, 4], "y": Infinity}', "give one of a, b, or a class"),
        ('{"x": [1, 2, 3, 4], "y": NaN}', "give one of a, b, or a class"),
        ("[1]", "it has no x"),
        ('{"x": ["p", 1, 2, 3]}', "no array of numbers"),
        ('{"x": [[1], [2, 3]]}', "no array of numbers"),
        ('{"x": [1, 2, 3, 4], "y": 5}', "give one of a, b|give a class"),
        ('{"x": [1, 2, 3, 4], "number": -1}', "number -1"),
        ('{"x": [1, 2, 3, 4], "time": "now"}', "time 'now'"),
        ('{"x": {"a": 1}}', "by names"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_sample_says_why(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        sample(line, 0, FACE, None)


def test_bytes_are_bytes() -> None:
    face = Face((2,), np.dtype(np.uint8))
    assert sample('{"x": [0, 255]}', 0, face, None).x.dtype == np.uint8
    with pytest.raises(ValueError, match=r"0\.\.255"):
        sample('{"x": [0, 256]}', 0, face, None)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        Lines(str(tmp_path / "none"), FACE)
