"""What a disk does to a journal: bytes that changed, ends that are missing, files that are gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.learn.journal.journal import Journal

LIMIT = 60_000
SNAPSHOTS = (5, 11)  # behind how many records; the first log is gone then


def arrays(number: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(number)
    return {"x": rng.integers(0, 256, int(rng.integers(0, 60)), np.uint8)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """17 records, two snapshots; the state of a snapshot is how many records there were."""
    folder = tmp_path_factory.mktemp("whole")
    with Journal(folder, LIMIT, "snapshot") as journal:
        for number in range(17):
            if number in SNAPSHOTS:
                journal.snapshot({"records": number}, arrays(1000 + number))
            journal.append({"number": number}, arrays(number))
    names = sorted(file.name for file in folder.iterdir())
    assert names == ["lock", "log-00000001", "log-00000002", "snapshot-00000001", "snapshot-00000002"]
    return folder


def recovered(folder: Path) -> tuple[int, int, tuple[str, ...]]:
    """Records that the snapshot stands for, and all records; each of them is what was written, or this fails."""
    with Journal(folder, LIMIT, "snapshot") as journal:
        snapshot, records = journal.recover()
        begin = 0
        if snapshot is not None:
            begin = snapshot.number
            assert snapshot.head == {"records": begin}
            assert snapshot.arrays["x"].tobytes() == arrays(1000 + begin)["x"].tobytes()
        for number, record in enumerate(records, begin):
            assert (record.number, record.head) == (number, {"number": number})
            assert record.arrays["x"].tobytes() == arrays(number)["x"].tobytes()
        assert journal.number == begin + len(records)
        return begin, journal.number, journal.dropped


def goes_on(folder: Path, number: int) -> None:
    """After whatever was dropped: appended, snapshot and opened again as though nothing had been."""
    for _ in range(2):
        with Journal(folder, LIMIT, "snapshot") as journal:
            assert journal.number == number
            journal.append({"number": number}, arrays(number))
        assert recovered(folder)[1:] == (number + 1, ())
        number += 1
        if number > 12:
            with Journal(folder, LIMIT, "snapshot") as journal:
                journal.snapshot({"records": number}, arrays(1000 + number))
            assert recovered(folder) == (number, number, ())


def test_all_of_it_without_a_fault(whole: Path) -> None:
    assert recovered(whole) == (11, 17, ())


flips = st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1), st.integers(1, 255)), min_size=1, max_size=5)


@given(flips=flips)
@settings(max_examples=120, deadline=None)
def test_bytes_that_changed_anywhere(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, float, int]]
) -> None:
    """Never anything that was not written: all of it, a prefix, or one clear line."""
    folder = tmp_path_factory.mktemp("damaged") / "journal"
    shutil.copytree(whole, folder)
    names = ["log-00000001", "log-00000002", "snapshot-00000001", "snapshot-00000002"]
    for which, at, change in flips:
        file = folder / names[which]
        data = bytearray(file.read_bytes())
        data[min(int(at * len(data)), len(data) - 1)] ^= change
        file.write_bytes(data)
    touched = {name for name in names if (folder / name).read_bytes() != (whole / name).read_bytes()}
    damaged = touched & {"snapshot-00000001", "snapshot-00000002"}
    if len(damaged) == 2:
        with pytest.raises(InvalidInput, match="none of its snapshots is whole") as refused:
            recovered(folder)
        assert "\n" not in str(refused.value)
        return
    begin, number, dropped = recovered(folder)
    fallback = "snapshot-00000002" in touched
    assert begin == (5 if fallback else 11)
    reads = {"log-00000002"} | ({"log-00000001"} if fallback else set())
    if not touched & reads:
        assert number == 17
    assert (number < 17 or fallback) == bool(dropped)
    assert all("\n" not in line for line in dropped)
    shutil.rmtree(folder.parent) if number % 3 else goes_on(folder, number)


@pytest.mark.parametrize("name", ["log-00000001", "log-00000002", "snapshot-00000001", "snapshot-00000002"])
def test_every_length_a_file_can_be_cut_to(whole: Path, tmp_path: Path, name: str) -> None:
    size = (whole / name).stat().st_size
    for cut in sorted({0, 1, 27, 28, 29, size - 1, *range(0, size, 29)}):
        folder = tmp_path / "journal"
        shutil.copytree(whole, folder)
        with (folder / name).open("rb+") as file:
            file.truncate(cut)
        begin, number, dropped = recovered(folder)
        if name == "snapshot-00000002":
            assert (begin, number) == (5, 17)
            assert dropped == (f"{name}: damaged: {cut:,} B",)
        elif name == "log-00000002":
            assert begin == 11
            assert 11 <= number <= 17
        else:
            assert (begin, number, dropped) == (11, 17, ())
        shutil.rmtree(folder)


def test_what_is_behind_the_end_is_dropped_and_said(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    shutil.copytree(whole, folder)
    size = (folder / "log-00000002").stat().st_size
    for tail, fault in ((b"\0" * 64, "damaged"), (b"\0" * 7, "torn"), (b"\xff" * 99, "torn")):
        with (folder / "log-00000002").open("ab") as file:
            file.write(tail)
        wanted = f"log-00000002: {fault} at byte {size:,}: {len(tail)} B behind it"
        assert recovered(folder) == (11, 17, (wanted,))
        assert (folder / "log-00000002").stat().st_size == size
    goes_on(folder, 17)


def test_a_log_that_is_gone_in_the_middle_ends_the_prefix(whole: Path, tmp_path: Path) -> None:
    """The snapshot is damaged too, so that the log before it would be needed."""
    folder = tmp_path / "journal"
    shutil.copytree(whole, folder)
    (folder / "snapshot-00000002").write_bytes(b"")
    (folder / "log-00000001").unlink()
    begin, number, dropped = recovered(folder)
    assert (begin, number) == (5, 5)
    assert dropped[1] == "log-00000001: missing"
    assert dropped[2].startswith("log-00000002: behind what is lost: ")
    goes_on(folder, 5)


def test_a_log_that_lost_its_end_at_a_record_is_noticed_by_the_numbers(whole: Path, tmp_path: Path) -> None:
    """Every frame is whole, but the records behind are not those that follow."""
    folder = tmp_path / "journal"
    shutil.copytree(whole, folder)
    (folder / "snapshot-00000002").unlink()
    for cut in range(28, (whole / "log-00000001").stat().st_size):  # to the end of its first record
        shutil.copy(whole / "log-00000001", folder / "log-00000001")
        with (folder / "log-00000001").open("rb+") as file:
            file.truncate(cut)
        shutil.copy(whole / "log-00000002", folder / "log-00000002")
        number, dropped = recovered(folder)[1:]
        if number == 6 and not any("torn" in line for line in dropped):
            break
    else:
        pytest.fail("no cut falls between two records")
    assert any("log-00000002: damaged at byte 0" in line for line in dropped)


def test_logs_without_their_snapshots_are_refused(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    shutil.copytree(whole, folder)
    for file in folder.glob("snapshot-*"):
        file.unlink()
    with pytest.raises(InvalidInput, match="none of its snapshots is whole"):
        Journal(folder, LIMIT)
    assert (folder / "log-00000002").read_bytes() == (whole / "log-00000002").read_bytes()


def test_the_first_snapshot_falls_back_to_the_beginning(tmp_path: Path) -> None:
    with Journal(tmp_path, LIMIT) as journal:
        for number in range(6):
            if number == 5:
                journal.snapshot({"records": 5}, arrays(1005))
            journal.append({"number": number}, arrays(number))
    (tmp_path / "snapshot-00000001").write_bytes(b"gone")
    assert recovered(tmp_path) == (0, 6, ("snapshot-00000001: damaged: 4 B",))
    goes_on(tmp_path, 6)
