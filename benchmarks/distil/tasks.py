"""The four tasks of the benchmark: data as in :mod:`benchmarks.quantise.tasks`, and a network of any width."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from torch import nn

from benchmarks.auto import sources
from benchmarks.quantise import tasks as quantise
from benchmarks.quantise.tasks import Pair

FIFTHS = 5
BLOCKS = ((16, 24, 1), (24, 40, 2), (40, 48, 1), (48, 64, 1))  # MobileNet V1's: channels in, channels out, stride


@dataclass(frozen=True, slots=True)
class Task:
    """``make``: width -> network. ``epochs``: of the teacher, and of each student."""

    name: str
    make: Callable[[float], nn.Module]
    train: Pair
    validation: Pair
    test: Pair
    epochs: int


def pictures(width: float) -> nn.Module:
    """[N, 1, H, W] -> logits [N, 10], as ``benchmarks.auto.nets.two_dimensional`` at width 1."""
    first = _wide(16, width)
    layers: list[nn.Module] = [nn.Conv2d(1, first, 3, 2, 1), nn.BatchNorm2d(first), nn.ReLU()]
    for i, o, stride in BLOCKS:
        inputs, outputs = _wide(i, width), _wide(o, width)
        layers += [nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs), nn.BatchNorm2d(inputs), nn.ReLU()]
        layers += [nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(_wide(64, width), 10))


def series(width: float) -> nn.Module:
    """[N, 6, 100] -> logits [N, 5], as ``benchmarks.auto.nets.one_dimensional`` at width 1."""
    layers: list[nn.Module] = []
    inputs = 6
    for channels in (16, 32, 32):
        outputs = _wide(channels, width)
        layers += [nn.Conv1d(inputs, outputs, 5, 2), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(inputs, 5))


def fashion(seed: int, fold: int) -> Task:
    """Of 900 pieces of clothing a fifth tests, another validates; drawn by seed."""
    x, y = sources.fashion()
    fifths = np.array_split(np.random.default_rng([14, seed]).permutation(len(y)), FIFTHS)
    test, validation = fifths[fold], fifths[(fold + 1) % FIFTHS]
    train = np.concatenate([f for i, f in enumerate(fifths) if i not in (fold, (fold + 1) % FIFTHS)])
    return Task("fashion", pictures, *((x[p], y[p]) for p in (train, validation, test)), 40)


def _known(name: str, make: Callable[[float], nn.Module]) -> Callable[[int, int], Task]:
    def task(seed: int, fold: int) -> Task:
        found = quantise.TASKS[name][0](seed, fold)
        return Task(name, make, found.train, found.validation, found.test, found.epochs)

    return task


def _wide(channels: int, width: float) -> int:
    return max(1, round(channels * width))


TASKS: Mapping[str, tuple[Callable[[int, int], Task], int]] = {
    "fsdd": (_known("fsdd", pictures), quantise.FOLDS),
    "har": (_known("har", series), 1),
    "mnist": (_known("mnist", pictures), 1),
    "fashion": (fashion, FIFTHS),
}
NEEDS = {**quantise.NEEDS, "fashion": "fashion_mnist_sprite900"}


def absent(task: str) -> str | None:
    """The folder that ``task`` needs, if it is not there."""
    folder = sources.FOLDER / NEEDS[task]
    return None if folder.is_dir() else str(folder)
