"""A journal gives back what it was given, after any order of calls, within its bytes."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.errors import DoesNotFit, InvalidInput
from selvedge.learn.journal import files
from selvedge.learn.journal.journal import Journal

LIMIT = 20_000
ARRAYS = {
    "float32": np.float32([[1.5, -0.0], [np.nan, np.inf]]),
    "int8": np.int8([-128, 127]),
    "bool": np.array([True, False]),
    "scalar": np.array(7, np.uint64),
    "empty": np.zeros((0, 3), np.float64),
    "complex": np.array([1 + 2j]),
    "every second": np.arange(10)[::2],
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "big": np.arange(3, dtype=">i4"),
    "none": np.float16([]),
}


def same(a: Any, b: Any) -> bool:
    return a.keys() == b.keys() and all(
        np.asarray(a[n]).shape == np.asarray(b[n]).shape
        and np.asarray(a[n]).tobytes() == np.asarray(b[n]).astype(np.asarray(b[n]).dtype.newbyteorder("<")).tobytes()
        for n in a
    )


def test_what_is_appended_comes_back(tmp_path: Path) -> None:
    head = {"call": "learn", "x": [1, 2.5, None, True, "ä\n"], "loss": math.inf, "deep": {"a": {}}}
    with Journal(tmp_path / "new" / "j", LIMIT) as journal:
        assert journal.recover() == (None, [])
        assert [journal.append(head, ARRAYS), journal.append([]), journal.append(None)] == [0, 1, 2]
    with Journal(tmp_path / "new" / "j", LIMIT) as journal:
        assert journal.dropped == ()
        snapshot, records = journal.recover()
    assert snapshot is None
    assert [(r.number, r.head) for r in records] == [(0, head), (1, []), (2, None)]
    assert same(records[0].arrays, ARRAYS)
    assert all(a.dtype == ARRAYS[n].dtype.newbyteorder("<") for n, a in records[0].arrays.items())
    records[0].arrays["int8"][0] = 3  # writable, and of no file


def test_a_snapshot_takes_the_place_of_the_records_before_it(tmp_path: Path) -> None:
    with Journal(tmp_path, LIMIT) as journal:
        for i in range(3):
            journal.append(i)
        journal.snapshot({"steps": 3}, ARRAYS)
        journal.append(3)
        for _ in range(2):  # asked while it is open, and after it was opened again
            snapshot, records = journal.recover()
            assert snapshot is not None
            assert (snapshot.number, snapshot.head, [(r.number, r.head) for r in records]) == (
                3,
                {"steps": 3},
                [(3, 3)],
            )
            assert same(snapshot.arrays, ARRAYS)
            journal.close()
            journal = Journal(tmp_path, LIMIT)
        assert journal.number == 4
        journal.close()


calls = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 2500)),
        st.tuples(st.just("snapshot"), st.integers(0, 7000)),
        st.tuples(st.just("reopen"), st.just(0)),
    ),
    min_size=1,
    max_size=25,
)


@given(calls=calls)
@settings(max_examples=40, deadline=None)
def test_any_order_of_calls_within_the_limit(tmp_path_factory: pytest.TempPathFactory, calls: Any) -> None:
    """A list and a snapshot beside it are the model. What does not fit is refused, and changes nothing."""
    folder = tmp_path_factory.mktemp("journal")
    journal = Journal(folder, LIMIT, "snapshot")
    state: tuple[int, bytes] | None = None
    records: list[tuple[int, bytes]] = []
    number = 0
    for call, length in calls:
        data = np.random.default_rng(number + length).integers(0, 256, length, np.uint8)
        try:
            if call == "append":
                assert journal.append({}, {"x": data}) == number
                records.append((number, data.tobytes()))
                number += 1
            elif call == "snapshot":
                journal.snapshot({}, {"x": data})
                state, records = (number, data.tobytes()), []
                assert not journal.due
            else:
                journal.close()
                journal = Journal(folder, LIMIT, "snapshot")
                assert journal.dropped == ()
        except DoesNotFit:
            assert call != "reopen"
        assert journal.bytes <= LIMIT
        found, behind = journal.recover()
        assert (found and (found.number, found.arrays["x"].tobytes())) == state
        assert [(r.number, r.arrays["x"].tobytes()) for r in behind] == records
    journal.close()


@given(sizes=st.lists(st.integers(0, 1500), min_size=20, max_size=60), state=st.integers(0, 3000))
@settings(max_examples=20, deadline=None)
def test_who_takes_a_snapshot_when_it_is_due_never_has_to_stop(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], state: int
) -> None:
    """Due is said early enough for a record as large as any before, in this process or an earlier one."""
    folder, snapshots = tmp_path_factory.mktemp("journal"), 0
    with Journal(folder, LIMIT, "snapshot") as journal:
        journal.append({}, {"x": np.zeros(max(sizes), np.uint8)})
    for i in range(0, len(sizes), 3):
        with Journal(folder, LIMIT, "snapshot") as journal:
            for length in sizes[i : i + 3]:
                if journal.due:
                    journal.snapshot({}, {"x": np.zeros(state, np.uint8)})
                    snapshots += 1
                journal.append({}, {"x": np.zeros(length, np.uint8)})
    assert journal.number == len(sizes) + 1
    assert snapshots <= 2 + len(sizes) // 2


def test_a_record_larger_than_any_before_asks_for_a_snapshot_itself(tmp_path: Path) -> None:
    with Journal(tmp_path, LIMIT) as journal:
        while not journal.due:
            journal.append({}, {"x": np.zeros(300, np.uint8)})
        journal.snapshot({}, {})
        while journal.bytes < 0.95 * LIMIT and not journal.due:
            journal.append({}, {"x": np.zeros(300, np.uint8)})
        with pytest.raises(DoesNotFit, match="cheapest change: take a snapshot"):
            journal.append({}, {"x": np.zeros(1000, np.uint8)})
        journal.snapshot({}, {})
        journal.append({}, {"x": np.zeros(1000, np.uint8)})


def test_what_can_never_fit_says_so(tmp_path: Path) -> None:
    with Journal(tmp_path, LIMIT) as journal:
        journal.append("kept")
        with pytest.raises(DoesNotFit, match=r"journal does not fit: needs 20,\d+ B, has .*: give it a larger limit"):
            journal.append({}, {"x": np.zeros(20_000, np.uint8)})
        with pytest.raises(
            DoesNotFit, match=r"needs 2\d,\d+ B, has 20,000 B; .*give it a limit of 2\d,\d+ B: three snap"
        ):
            journal.snapshot({}, {"x": np.zeros(7_000, np.uint8)})
        assert [record.head for record in journal.recover()[1]] == ["kept"]


@pytest.mark.parametrize(
    ("head", "arrays", "says"),
    [
        ({1, 2}, {}, r"journal head is of type set: give what JSON has \(.*not JSON serializable\)"),
        (b"", {}, "journal head is of type bytes"),
        ({}, {"x": np.array(["a"])}, "journal array x is <U1: give arrays of numbers"),
        ({}, {"x": np.array([None])}, "journal array x is object"),
        ({}, {"x": np.zeros(1, [("a", "i4")])}, "journal array x is"),
        ({}, {3: np.zeros(1)}, "journal array 3 is float64: give arrays of numbers under names"),
    ],
)
def test_what_is_no_record_is_refused_and_nothing_is_written(tmp_path: Path, head: Any, arrays: Any, says: str) -> None:
    with Journal(tmp_path, LIMIT) as journal:
        before = journal.bytes
        for call in (journal.append, journal.snapshot):
            with pytest.raises(InvalidInput, match=says) as refused:
                call(head, arrays)
            assert "\n" not in str(refused.value)
        assert (journal.bytes, journal.number) == (before, 0)


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    for given_, says in (
        ({"limit_bytes": 4095}, "journal limit_bytes is 4095: give 4,096 or more"),
        ({"limit_bytes": 1e6}, "journal limit_bytes is 1000000.0: give a whole number"),
        ({"limit_bytes": LIMIT, "sync": "often"}, "journal sync is often: give record or snapshot"),
    ):
        with pytest.raises(InvalidInput, match=says):
            Journal(tmp_path / "j", **given_)
        assert not (tmp_path / "j").exists()


def test_a_closed_journal_says_so(tmp_path: Path) -> None:
    journal = Journal(tmp_path, LIMIT)
    journal.close()
    journal.close()
    for call in (journal.recover, lambda: journal.append(1), lambda: journal.snapshot(1)):
        with pytest.raises(InvalidInput, match="it is closed: open it again"):
            call()


def test_one_process_a_folder(tmp_path: Path) -> None:
    """The other one really is another process; and a folder whose holder was killed is free."""
    script = (
        "import sys, time\nfrom selvedge.learn.journal.journal import Journal\n"
        "journal = Journal(sys.argv[1], 20000)\nprint('open', flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(InvalidInput, match=rf"process {other.pid} has it open: end that one first") as refused:
            Journal(tmp_path, LIMIT)
        assert "\n" not in str(refused.value)
        other.kill()
        other.wait()
    with Journal(tmp_path, LIMIT), pytest.raises(InvalidInput, match=f"process {os.getpid()} has it open"):
        Journal(tmp_path, LIMIT)
    Journal(tmp_path, LIMIT).close()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_bytes(b"meow")
    with pytest.raises(InvalidInput, match=r"cat\.png in it is of something else: name another folder"):
        Journal(tmp_path / "photos", LIMIT)
    assert [f.name for f in (tmp_path / "photos").iterdir()] == ["cat.png"]
    with pytest.raises(InvalidInput, match="it is a file: name a folder"):
        Journal(tmp_path / "photos" / "cat.png", LIMIT)
    with pytest.raises(InvalidInput, match="it cannot be written or read"):
        Journal(tmp_path / "photos" / "cat.png" / "below", LIMIT)
    with pytest.raises(InvalidInput, match="a name has no zero byte"):
        Journal("a\0b", LIMIT)


def test_another_format_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later version's folder, written by this code under another number."""
    with monkeypatch.context() as later:
        later.setattr(files, "VERSION", 2)
        with Journal(tmp_path, LIMIT) as journal:
            journal.append(1)
            journal.snapshot(2)
            journal.append(3)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.name != "lock"}
    with pytest.raises(InvalidInput, match="it is of format 2, this version reads 1: name another folder"):
        Journal(tmp_path, LIMIT)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.name != "lock"} == before


def test_nothing_in_it_is_pickled(tmp_path: Path) -> None:
    """The head is JSON that any reader reads, behind two headers whose sizes are stated."""
    with Journal(tmp_path, LIMIT) as journal:
        journal.append({"a": [1]}, {"x": np.int16([258])})
    raw = (tmp_path / "log-00000000").read_bytes()[files.HEADER.size + 20 :]
    length = int.from_bytes(raw[:4], "little")
    assert json.loads(raw[4 : 4 + length]) == [{"a": [1]}, [["x", "<i2", [1]]]]
    assert raw[4 + length :] == b"\x02\x01"
