"""The two tasks: whose samples they are, who is new, and the networks that are searched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from benchmarks.auto import sources
from benchmarks.live.sounds import sounds

Array = npt.NDArray[Any]
Data = tuple[Array, Array, Array]  # samples, classes, whose each is


@dataclass(frozen=True, slots=True)
class Task:
    """``make``: width -> network. ``needs``: a folder of data. ``says``: of what it is, for people."""

    data: Callable[[], Data]
    make: Callable[[float], nn.Module]
    needs: str
    says: str


def convolutional(inputs: int, layers: tuple[tuple[int, int, int], ...], classes: int, width: float) -> nn.Module:
    """[N, inputs, T] -> logits [N, classes]: convolutions along time - channels, kernel, stride - their norms, and a
    mean over time."""
    made: list[nn.Module] = []
    for channels, kernel, stride in layers:
        outputs = round(channels * width)
        made += [nn.Conv1d(inputs, outputs, kernel, stride, kernel // 2), nn.BatchNorm1d(outputs), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*made, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(inputs, classes))


def speech(width: float) -> nn.Module:
    """[N, 20, 32] -> [N, 10]: along time, bands as channels, as in TC-ResNet (Choi et al., arXiv:1904.03814)."""
    return convolutional(20, ((24, 5, 1), (32, 5, 2), (48, 5, 2), (48, 3, 1)), 10, width)


def activity(width: float) -> nn.Module:
    """[N, 6, 100] -> [N, 5]."""
    return convolutional(6, ((16, 5, 2), (32, 5, 2), (32, 5, 2)), 5, width)


@lru_cache(maxsize=1)
def spoken() -> Data:
    """Log-mel bands along time [3000, 20, 32], the digit, the speaker."""
    x, y, who = sounds()
    return np.ascontiguousarray(x[:, 0].transpose(0, 2, 1)), y, who


TASKS: Mapping[str, Task] = {
    "fsdd": Task(spoken, speech, "fsdd", "spoken digits, an unseen speaker"),
    "har": Task(lambda: sources.har()[:3], activity, "har_sp_sw_23subjects", "activities, an unseen subject"),
}


def newcomers(who: Array, folds: int, fold: int) -> list[int]:
    """Those whom nothing of a fold has met: each person is in one."""
    order = np.random.default_rng([51, 0]).permutation(np.unique(who))
    return sorted(int(p) for p in np.array_split(order, folds)[fold])


def absent(task: str) -> str | None:
    """The folder that ``task`` needs, if it is not there."""
    folder = sources.FOLDER / TASKS[task].needs
    return None if folder.is_dir() else str(folder)
