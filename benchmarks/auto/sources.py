"""The data of the four transfers, as numbers: read from the folder that lies beside the project."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[np.generic]
FOLDER = Path(os.environ.get("SELVEDGE_DATA", Path(__file__).parents[3] / "shared" / "data"))
NEEDS = {
    "mnist-omniglot": ("mnist_png", "omniglot_small"),
    "mnist-fashion": ("mnist_png", "fashion_mnist_sprite900"),
    "fsdd-speaker": ("fsdd",),
    "har-subject": ("har_sp_sw_23subjects",),
}
ACTIVITIES = ("SEATED", "STANDING_UP", "WALKING", "TURNING", "SITTING_DOWN")


def absent(task: str) -> str | None:
    """The first folder that ``task`` needs and that is not there."""
    return next((str(FOLDER / name) for name in NEEDS[task] if not (FOLDER / name).is_dir()), None)


@lru_cache(maxsize=1)
def mnist() -> tuple[Array, Array]:
    """Digits [12000, 1, 28, 28] in 0..1 and their labels: the first four sheets of the official training set."""
    sheets = [np.asarray(Image.open(FOLDER / "mnist_png" / f"mnist_batch_{i}.png"), np.uint8) for i in range(4)]
    x = np.concatenate([s[..., 0] if s.ndim == 3 else s for s in sheets])
    text = (FOLDER / "mnist_png" / "mnist_labels.js").read_text()
    y = np.array(text[text.index("[") + 1 : text.index("]")].split(",")[: len(x)], np.int32)
    return np.float32(x.reshape(-1, 1, 28, 28) / 255), y


@lru_cache(maxsize=1)
def fashion() -> tuple[Array, Array]:
    """Clothes [900, 1, 28, 28] in 0..1: the sprite is 30 x 30 of them, three rows of them a class."""
    sprite = np.asarray(Image.open(FOLDER / "fashion_mnist_sprite900" / "fashion-mnist-sprite.png").convert("L"))
    x = sprite.reshape(30, 28, 30, 28).swapaxes(1, 2).reshape(-1, 1, 28, 28)
    return np.float32(x / 255), np.int32(np.repeat(np.arange(10), len(x) // 10))


@lru_cache(maxsize=1)
def omniglot() -> tuple[Array, Array, Array]:
    """Characters [n, 1, 28, 28] in 0..1, ink bright as in MNIST; which character; which of the 20 drawers."""
    images, labels, drawers = [], [], []
    names: dict[str, int] = {}
    for part in ("images_background_small1.zip", "images_background_small2.zip"):
        with zipfile.ZipFile(FOLDER / "omniglot_small" / part) as archive:
            for entry in sorted(n for n in archive.namelist() if n.endswith(".png")):
                character = entry.split("/", 1)[1].rpartition("/")[0]
                picture = (
                    Image.open(io.BytesIO(archive.read(entry))).convert("L").resize((28, 28), Image.Resampling.BOX)
                )
                images.append(1 - np.asarray(picture, np.float32) / 255)
                labels.append(names.setdefault(character, len(names)))
                drawers.append(int(entry[-6:-4]) - 1)
    x = np.stack(images)[:, None]
    # A stroke is one pixel of 105 wide: brought to MNIST's ink, so that what was learnt there can be of use.
    return np.float32(np.minimum(1, 2 * x)), np.int32(labels), np.int32(drawers)


@lru_cache(maxsize=1)
def fsdd() -> tuple[Array, Array, Array]:
    """Log-mel pictures [3000, 1, 32, 20] of spoken digits, the digit, the speaker's number."""
    with tarfile.open(FOLDER / "fsdd" / "fsdd_recordings.tar.xz") as files:
        raw = {f.name.split("/")[-1]: files.extractfile(f).read()[44:10476].ljust(10432, b"\0")  # type: ignore[union-attr]
               for f in files if f.name.endswith(".wav")}  # fmt: skip
    names = sorted(raw)
    waves = np.stack([np.frombuffer(raw[n], "<i2") for n in names]) / 32768
    frames = np.lib.stride_tricks.sliding_window_view(waves, 256, axis=1)[:, ::160] * np.hanning(256)
    points = 700 * (10 ** (np.linspace(93, 2109, 22) / 2595) - 1)  # 20 bands, 60 Hz to 3.8 kHz, even in mel
    rise = (np.fft.rfftfreq(256, 1 / 8000)[:, None] - points[:-1]) / np.diff(points)
    mel = np.log(np.abs(np.fft.rfft(frames)) ** 2 @ np.minimum(rise[:, :-1], 1 - rise[:, 1:]).clip(0) + 1e-6)
    x = np.float32((mel - mel.mean(1, keepdims=True)) / 3)[:, None]
    speakers = sorted({n.split("_")[1] for n in names})
    return x, np.int32([n[0] for n in names]), np.int32([speakers.index(n.split("_")[1]) for n in names])


@lru_cache(maxsize=1)
def har() -> tuple[Array, Array, Array, Array]:
    """Seconds of six axes [n, 6, 100] in the phone, every half second; the activity; the subject; the walk's number."""
    units = np.float32([[5, 5, 5, 1, 1, 1]]).T
    xs, ys, subjects, walks = [], [], [], []
    with tarfile.open(FOLDER / "har_sp_sw_23subjects" / "sp-sw-har-dataset.tar.xz") as files:
        for entry in sorted((f for f in files if "_sp." in f.name), key=lambda f: f.name):
            rows = np.loadtxt(files.extractfile(entry), str, None, ",", None, 1)  # type: ignore[arg-type]
            x = np.lib.stride_tricks.sliding_window_view(rows[:, :6].astype(np.float32), 100, axis=0)[::50] / units
            xs.append(x)
            ys += [ACTIVITIES.index(label) for label in rows[50::50, 7][: len(x)]]
            name = entry.name.split("/")[-1]
            subjects += [int(name[1:3]) - 1] * len(x)
            walks += [int(name[4:6])] * len(x)
    return np.concatenate(xs), np.int32(ys), np.int32(subjects), np.int32(walks)
