"""The four tasks: data split into training, validation and test, views of it, a network, and how long it is trained."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.auto import sources
from benchmarks.packed import read
from selvedge.artifact.features import LogMel
from selvedge.data.logmel import log_mel

from . import nets, views

Array = sources.Array
Rows = np.ndarray
FSDD_FOLDS, FASHION_FOLDS = 10, 3
RESNET = "ResNet-8"


@dataclass(frozen=True, slots=True)
class Few:
    """Of the part where few training samples have labels, ``labelled`` of them. ``epochs``: of the teachers, and of the
    students, alone as taught. ``width``: of a student."""

    labelled: int
    epochs: tuple[int, int]
    width: float


@dataclass(frozen=True, slots=True)
class Task:
    """``epochs``: of the network before it is cut; of cutting and training; of the end, in float or in QAT.

    ``make``: width -> network. ``width``, ``student``: of the student, and its epochs, alone as taught.
    """

    name: str
    make: Callable[[float], nn.Module]
    draw: views.Draw
    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    epochs: tuple[int, int, int]
    width: float
    student: int
    few: Few
    batch: int


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of a task without its data."""

    split: Callable[[int, int], tuple[tuple[Array, ...], list[Rows]]]
    make: Callable[[float], nn.Module]
    draw: views.Draw
    folds: int
    epochs: tuple[int, int, int]
    width: float
    student: int
    few: Few
    batch: int
    needs: str
    net: str

    def task(self, name: str, seed: int, fold: int) -> Task:
        (x, y), parts = self.split(seed, fold)
        found = [(torch.from_numpy(np.float32(x[p])), torch.from_numpy(y[p].astype(np.int64))) for p in parts]
        return Task(
            name, self.make, self.draw, found[0], found[1], found[2], self.epochs, self.width, self.student, self.few,
            self.batch,
        )  # fmt: skip


def _fsdd(seed: int, fold: int) -> tuple[tuple[Array, ...], list[Rows]]:
    """A tenth of the 3,000 clips tests, another validates; drawn by seed."""
    x, y = mfcc()
    tenths = np.array_split(np.random.default_rng([12, seed]).permutation(len(y)), FSDD_FOLDS)
    own = fold, (fold + 1) % FSDD_FOLDS
    return (x, y), [np.concatenate([t for i, t in enumerate(tenths) if i not in own]), tenths[own[1]], tenths[own[0]]]


def _har(seed: int, fold: int) -> tuple[tuple[Array, ...], list[Rows]]:
    """15 of the 23 subjects train, 3 validate, 5 test: nobody is in two parts; drawn by seed."""
    x, y, subject, _ = sources.har()
    who = np.split(np.random.default_rng([13, seed]).permutation(23), [15, 18])
    return (x, y), [np.flatnonzero(np.isin(subject, w)) for w in who]


def _mnist(seed: int, fold: int) -> tuple[tuple[Array, ...], list[Rows]]:
    """3,000 of the first 12,000 digits train, 1,000 validate, 4,000 test; drawn by seed."""
    x, y = sources.mnist()
    return (x, y), np.split(np.random.default_rng([11, seed]).permutation(len(y))[:8000], [3000, 4000])


def _fashion(seed: int, fold: int) -> tuple[tuple[Array, ...], list[Rows]]:
    """A third of 900 pieces of clothing tests; of the others 480 train, 120 validate; drawn by seed."""
    x, y = sources.fashion()
    thirds = np.array_split(np.random.default_rng([14, seed]).permutation(len(y)), FASHION_FOLDS)
    rest = np.concatenate([t for i, t in enumerate(thirds) if i != fold])
    return (x, y), [rest[:480], rest[480:], thirds[fold]]


@lru_cache(maxsize=1)
def mfcc() -> tuple[Array, Array]:
    """Spoken digits [3000, 1, 49, 10], and the digit: ten cepstral coefficients (the cosine transform of 20 mel bands)
    of 49 frames, less each clip's mean, in units of each coefficient's standard deviation."""
    with tarfile.open(sources.FOLDER / "fsdd" / "fsdd_recordings.tar.xz") as files:
        raw = {f.name.split("/")[-1]: read(files, f)[44:] for f in files if f.name.endswith(".wav")}
    names = sorted(raw)
    of = LogMel(8000, 49, 256, 103, 256, 20, 60, 3800, (49, 20))
    frames = np.stack([log_mel(np.frombuffer(raw[n], "<i2").astype(np.float32) / 32768, of) for n in names])
    k, n = np.arange(10)[:, None], np.arange(20)
    made = frames @ np.cos(np.pi * k * (2 * n + 1) / 40).T
    made -= made.mean(1, keepdims=True)
    return np.float32(made / made.std((0, 1)))[:, None], np.int32([int(name[0]) for name in names])


def labelled(task: Task, seed: int) -> Task:
    """``task`` with its labelled samples alone, drawn by seed, each so many times that there are as many rows."""
    rows = np.random.default_rng([15, seed]).permutation(len(task.train[1]))[: task.few.labelled]
    again = torch.from_numpy(np.resize(rows, len(task.train[1])))
    return replace(task, train=(task.train[0][again], task.train[1][again]))


TASKS: Mapping[str, Row] = {
    "fsdd": Row(
        _fsdd, nets.ds_cnn, views.sounds, FSDD_FOLDS, (12, 8, 4), 0.125, 80, Few(300, (8, 30), 0.25), 64, "fsdd",
        "DS-CNN",
    ),
    "har": Row(
        _har, nets.series, views.motions, 1, (40, 40, 12), 0.5, 100, Few(150, (20, 40), 0.5), 64,
        "har_sp_sw_23subjects", "1-D CNN",
    ),
    "mnist": Row(
        _mnist, nets.resnet8, views.pictures(0.2, False), 1, (12, 8, 3), 0.25, 40, Few(100, (5, 12), 0.25), 64,
        "mnist_png", RESNET,
    ),
    "fashion": Row(
        _fashion, nets.resnet8, views.pictures(0.1, True), FASHION_FOLDS, (60, 30, 8), 0.25, 150,
        Few(120, (20, 60), 0.25), 32, "fashion_mnist_sprite900", RESNET,
    ),
}  # fmt: skip


def absent(task: str) -> str | None:
    """The folder that ``task`` needs, if it is not there."""
    folder = sources.FOLDER / TASKS[task].needs
    return None if folder.is_dir() else str(folder)
