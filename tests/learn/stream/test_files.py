"""Images, sounds and arrays of a folder; and those that appear in it."""

from __future__ import annotations

import os
import threading
import time
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selvedge.artifact.features import Columns, Picture, Waveform
from selvedge.errors import InvalidInput
from selvedge.learn.stream.faults import Faults
from selvedge.learn.stream.files import Files
from selvedge.learn.stream.sample import Face, Sample

PICTURE = Picture(1, 4, 4, (1, 4, 4))
FACE = Face((1, 4, 4), np.dtype(np.uint8), ("a", "b"), 2)


def picture(path: Path, grey: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8), grey).save(path)


def test_images_of_a_folder_by_name_with_the_class_of_their_folder(tmp_path: Path) -> None:
    for name, grey in (("a/1.png", 10), ("b/2.png", 20), ("b/3.png", 30), ("c/4.png", 40)):
        picture(tmp_path / name, grey)
    (tmp_path / "b" / "2x.png").write_bytes(b"no image")
    told: list[str] = []
    source = Files(tmp_path, FACE, PICTURE, faults=Faults(told.append))
    found = list(source)
    assert [(s.number, int(s.x[0, 0, 0]), s.y) for s in found] == [(0, 10, 0), (1, 20, 1), (3, 30, 1), (4, 40, None)]
    assert "2x.png" in told[0]
    source.seek(3)
    assert [s.number for s in source] == [3, 4]


def test_images_of_a_folder_as_they_were_taken(tmp_path: Path) -> None:
    for name, grey, when in (("a/1.png", 10, 300), ("a/2.png", 20, 100), ("b/1.png", 30, 200), ("b/2.png", 40, 100)):
        picture(tmp_path / name, grey)
        os.utime(tmp_path / name, (when, when))
    source = Files(tmp_path, FACE, PICTURE, order="time")
    assert [(s.number, s.time, int(s.x[0, 0, 0])) for s in source] == [
        (0, 100, 20), (1, 100, 40), (2, 200, 30), (3, 300, 10),
    ]  # fmt: skip
    source.seek(2)
    assert [s.y for s in source] == [1, 0]
    with pytest.raises(InvalidInput, match="order is size: give one of name, time"):
        Files(tmp_path, FACE, PICTURE, order="size")


def test_the_class_of_a_model_without_names_is_the_number_of_the_folder(tmp_path: Path) -> None:
    for name in ("0/1.png", "1/2.png", "2/3.png", "a/4.png", "5.png"):
        picture(tmp_path / name, 10)
    nameless = Face((1, 4, 4), np.dtype(np.uint8), (), 2)
    assert [s.y for s in Files(tmp_path, nameless, PICTURE)] == [0, 1, None, None, None]
    assert [s.y for s in Files(tmp_path, FACE, PICTURE)] == [None, None, None, None, 0]


def test_sounds_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with wave.open(str(tmp_path / "b" / "1.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(np.array([0, 16384, -16384, 8192], "<i2").tobytes())
    (found,) = Files(tmp_path, Face((4,), np.dtype(np.float32), ("a", "b"), 2), Waveform(8000, 4, (4,)))
    assert found.x.tolist() == [0, 0.5, -0.5, 0.25]
    assert found.y == 1


def test_a_watched_folder_gives_each_file_once_as_it_appears(tmp_path: Path) -> None:
    picture(tmp_path / "a" / "1.png", 1)
    found: list[Sample] = []
    source = Files(tmp_path, FACE, PICTURE, watch=0.02)
    thread = threading.Thread(target=lambda: found.extend(source))
    thread.start()
    wait(lambda: len(found) == 1)
    picture(tmp_path / "outside.png", 3)
    (tmp_path / "outside.png").rename(tmp_path / "b.tmp")
    picture(tmp_path / "a" / "2.png", 2)
    (tmp_path / "a" / "1.png").unlink()  # it was taken: it may go
    wait(lambda: len(found) >= 2)
    (tmp_path / "b.tmp").rename(tmp_path / "0.png")  # older, and moved in later: it is new
    wait(lambda: len(found) == 3)
    source.close()
    thread.join(10)
    assert [int(s.x[0, 0, 0]) for s in found] in ([1, 2, 3], [1, 3, 2])
    numbers = [s.number for s in found]
    assert numbers == sorted(set(numbers))

    again: list[Sample] = []
    later = Files(tmp_path, FACE, PICTURE, watch=0.02)
    later.seek(found[1].number + 1)
    thread = threading.Thread(target=lambda: again.extend(later))
    thread.start()
    wait(lambda: len(again) == 1)
    later.close()
    thread.join(10)
    assert [s.number for s in again] == numbers[2:]


def wait(until: object, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not until():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_file_that_is_being_written_is_left_until_it_stands_still(tmp_path: Path) -> None:
    whole = tmp_path / "whole.png"
    picture(whole, 9)
    data, part = whole.read_bytes(), tmp_path / "in" / "1.png"
    part.parent.mkdir()
    faults, found = Faults(), []
    source = Files(part.parent, FACE, PICTURE, watch=0.3, faults=faults)
    thread = threading.Thread(target=lambda: found.extend(source))
    thread.start()
    with part.open("wb") as file:
        for i in range(len(data)):
            file.write(data[i : i + 1])
            file.flush()
            time.sleep(0.5 / len(data))
    wait(lambda: len(found) == 1)
    source.close()
    thread.join(10)
    assert faults.count == 0


@pytest.mark.parametrize(
    ("make", "features", "said"),
    [
        (False, PICTURE, "there is no such folder"),
        (True, PICTURE, "it holds no .png"),
        (True, Columns(("a",), (1,)), "takes rows of a table"),
    ],
)
def test_what_is_no_such_folder_is_one_line(tmp_path: Path, make: bool, features: object, said: str) -> None:
    folder = tmp_path / "f"
    if make:
        folder.mkdir()
    with pytest.raises(InvalidInput, match=said):
        Files(folder, FACE, features)  # type: ignore[arg-type]
