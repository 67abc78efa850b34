"""A stream as the command line names it; sensors that are not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from selvedge.artifact.features import Picture
from selvedge.errors import InvalidInput
from selvedge.learn.stream.camera import Camera
from selvedge.learn.stream.faults import Faults
from selvedge.learn.stream.sample import Face
from selvedge.learn.stream.spec import parse, source


def test_what_a_stream_is_shows_in_its_name(tmp_path: Path) -> None:
    for name in ("a.csv", "a.npz", "a.npy", "a.jsonl"):
        (tmp_path / name).write_text("a,b\n1,2\n")
    kinds = {"a.csv": "table", "a.npz": "arrays", "a.npy": "arrays", "a.jsonl": "lines", "": "files"}
    assert {name: parse(str(tmp_path / name)).kind for name in kinds} == kinds
    assert [parse(t).kind for t in ("-", "mqtt://h:1883/t?qos=1", "camera:0", "microphone:")] == [
        "lines", "mqtt", "camera", "microphone",
    ]  # fmt: skip
    assert parse("mqtt://h:1883/a/b:labels=u+v").options == {"labels": "u+v"}


def test_options_reach_the_source(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t,u,v,kind\n1,2,,b\n2,,4,a\n3,4,5,b\n")
    given = parse(f"{tmp_path}/a.csv:time=t,label=kind,columns=v+u,missing=hold,labels=a+b")
    assert given.labels == ("a", "b")
    made = source(given, Face((2,), np.dtype(np.float32), given.labels, 2), None, Faults())
    assert [(s.time, s.x.tolist(), s.y) for s in made] == [(3, [5, 4], 1)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "--stream is empty"),
        ("nowhere.csv", "there is no such file or folder"),
        ("-:colour=red", "--stream option is colour"),
        ("-:watch=1,watch=2", "--stream option is watch: give each once"),
        ("-:watch=0", "--stream watch is 0: give a number above 0"),
        ("-:missing=guess", "--stream missing is guess: give one of skip, hold, mean"),
        ("-:over=0.5", "--stream over is 0.5"),
        ("-:watch=1", "--stream option is watch: it does nothing here: such a stream has labels"),
        ("camera:0:label=kind", "--stream option is label: it does nothing here: such a stream has every"),
        ("microphone::every=2", "--stream option is every: it does nothing here: such a stream has none"),
        (".:missing=hold", "--stream option is missing: it does nothing here: such a stream has watch, order, labels"),
        (".:order=size", "--stream order is size: give one of name, time"),
        (__file__, "what it holds is not known"),
        ("a\0b", "--stream is"),
    ],
)
def test_what_names_no_stream_is_one_line(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said.replace("?", r"\?")):
        parse(text)


WITHOUT = """
import sys
sys.modules["cv2"] = sys.modules["sounddevice"] = None  # an import of them raises ImportError
import numpy as np
from selvedge.artifact.features import Picture, Waveform
from selvedge.errors import NotSupported
from selvedge.learn.stream.faults import Faults
from selvedge.learn.stream.sample import Face
from selvedge.learn.stream.spec import parse, source

for text, shape, features in (
    ("camera:0", (1, 2, 2), Picture(1, 2, 2, (1, 2, 2))), ("microphone:", (8,), Waveform(8000, 8, (8,)))
):
    try:
        source(parse(text), Face(shape, np.dtype(np.float32)), features, Faults())
    except NotSupported as error:
        print(error)
"""


def test_a_sensor_without_its_library_is_one_line() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "a camera is not supported: pip install opencv-python-headless",
        "a microphone is not supported: pip install sounddevice, and install PortAudio",
    ]


def test_a_camera_gives_the_frames_of_a_video(tmp_path: Path) -> None:
    written = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (32, 32))
    for grey in (20, 120, 220):
        written.write(np.full((32, 32, 3), grey, np.uint8))
    written.release()
    camera = Camera(str(tmp_path / "v.avi"), Face((1, 4, 4), np.dtype(np.uint8)), Picture(1, 4, 4, (1, 4, 4)), every=0)
    found = [(s.number, float(s.x.mean())) for s in camera]
    camera.close()
    assert [n for n, _ in found] == [0, 1, 2]
    np.testing.assert_allclose([v for _, v in found], [20, 120, 220], atol=4)
