"""A user's data as it lies on a disk: written by the tests, or taken out of the shared archives."""

from __future__ import annotations

import os
import tarfile
import wave
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

SHARED = Path(os.environ.get("SELVEDGE_DATA", Path(__file__).parents[3] / "shared" / "data"))


def shared(name: str) -> Path:
    """A folder of the shared data; skips the test where it is absent."""
    path = SHARED / name
    if not path.is_dir():
        pytest.skip(f"{path} is not there: set SELVEDGE_DATA to the folder of the shared data")
    return path


def digits(folder: Path, each: int) -> Path:
    """scikit-learn's digits as 8x8 grey PNG, a folder a class."""
    data = load_digits()
    for label in range(10):
        (folder / str(label)).mkdir(parents=True)
        for i in np.flatnonzero(data.target == label)[:each]:
            pixels = (data.images[i] * 15.9).astype(np.uint8)
            Image.fromarray(pixels).save(folder / str(label) / f"{i}.png")
    return folder


def write_wav(path: Path, signal: np.ndarray, rate: int = 8000, width: int = 2, channels: int = 1) -> Path:
    """``signal`` in -1..1, [n] or [n, channels], as PCM."""
    path.parent.mkdir(parents=True, exist_ok=True)
    most = 2 ** (8 * width - 1) - 1
    values = np.round(np.asarray(signal) * most).astype(np.int64).reshape(-1)
    if width == 1:
        raw = (values + 128).astype(np.uint8).tobytes()
    else:
        raw = values.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width].tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(raw)
    return path


def tones(folder: Path, each: int = 8) -> Path:
    """Two pitches by two people, a folder a class: pitch_person_i.wav."""
    random = np.random.default_rng(0)
    for label, pitch in (("high", 1500), ("low", 300)):
        for i in range(each):
            t = np.arange(1600 + 40 * i) / 8000
            signal = 0.5 * np.sin(2 * np.pi * pitch * t) + 0.01 * random.standard_normal(t.size)
            write_wav(folder / label / f"{label}_{'abcd'[i % 4]}_{i}.wav", signal)
    return folder


def flowers(path: Path, rows: int = 60) -> Path:
    """A table of two classes, with a subject and a clock."""
    random = np.random.default_rng(1)
    lines = ["time,length,width,subject,label"]
    for i in range(rows):
        wide = i % 2
        a, b = random.normal((3 * wide, -2 * wide), 0.5)
        lines.append(f"{i},{a:.4f},{b:.4f},s{i // 2 % 6},{'wide' if wide else 'narrow'}")
    path.write_text("\n".join(lines) + "\n")
    return path


def fsdd(folder: Path, index: int) -> Path:
    """Spoken digits of index 0 to ``index`` - 1, all speakers, out of the shared archive."""
    archive = shared("fsdd") / "fsdd_recordings.tar.xz"
    with tarfile.open(archive) as opened:
        members = [m for m in opened if m.name.endswith(".wav") and int(Path(m.name).stem.split("_")[2]) < index]
        opened.extractall(folder, members, filter="data")
    return folder / "recordings"


def har(folder: Path, subjects: tuple[str, ...]) -> Path:
    """The phone's accelerometer and gyroscope of some subjects."""
    archive = shared("har_sp_sw_23subjects") / "sp-sw-har-dataset.tar.xz"
    with tarfile.open(archive) as opened:
        wanted = tuple(f"DATA/{s}/" for s in subjects)
        members = [m for m in opened if m.name.startswith(wanted) and m.name.endswith("_sp.csv")]
        opened.extractall(folder, members, filter="data")
    return folder / "DATA"


def omniglot(folder: Path, alphabet: str) -> Path:
    """One alphabet of handwritten characters, 105x105, a folder a character."""
    archive = shared("omniglot_small") / "images_background_small1.zip"
    with zipfile.ZipFile(archive) as opened:
        members = [n for n in opened.namelist() if f"/{alphabet}/" in n]
        opened.extractall(folder, members)
    return folder / "images_background_small1" / alphabet


def fashion(folder: Path, each: int) -> Path:
    """Clothes, 28x28, cut out of the shared sprite: 30x30 of them, ninety of each class, class after class."""
    sprite = np.asarray(Image.open(shared("fashion_mnist_sprite900") / "fashion-mnist-sprite.png").convert("L"))
    for number in range(900):
        if number % 90 < each:
            row, column = divmod(number, 30)
            path = folder / str(number // 90) / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(sprite[28 * row : 28 * row + 28, 28 * column : 28 * column + 28]).save(path)
    return folder
