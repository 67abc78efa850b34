"""The weather that there is: three ways for it to change, and how a picture of the stream comes about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from selvedge.learn.camera_model.camera import Camera
from selvedge.learn.camera_model.course import Course, Gradual, Recurring, Sudden

from .pictures import Pictures

Array = npt.NDArray[Any]
LENGTH = 1500  # pictures that pass
TURNS = 9  # of equal length: at the end of each the test pictures are seen through the camera as it then is
SMALL = {"full_well": 4000.0, "read_noise": 8.0}  # electrons of a cheap camera's pixel

DAY = Camera(**SMALL)


def dusk(towards: float) -> Camera:
    """Little light, from one side, in thin fog, and out of focus."""
    return Camera(exposure=0.1, gain=4, slope=0.6, towards=towards, fog=1.2, blur=0.8, **SMALL)


def night(towards: float) -> Camera:
    """A lamp at one side, and an amplifier that does what it can."""
    return Camera(exposure=0.03, gain=12, slope=0.8, towards=towards, **SMALL)


def mist(towards: float) -> Camera:
    """Thick fog on a dull day."""
    return Camera(exposure=0.6, slope=0.2, towards=towards, fog=1.6, **SMALL)


def storm(towards: float) -> Camera:
    """Heavy rain on a wet pane."""
    return Camera(exposure=0.7, slope=0.2, towards=towards, rain=80, contrast=0.5, blur=1.0, **SMALL)


def _gradual(towards: float) -> Course:
    return Gradual(DAY, dusk(towards))


def _sudden(towards: float) -> Course:
    return Sudden((DAY, mist(towards), night(towards)), (1 / 9, 5 / 9))


def _recurring(towards: float) -> Course:
    return Recurring((night(towards), mist(towards), storm(towards)), 3)


KINDS: Mapping[str, Callable[[float], Course]] = {"gradual": _gradual, "sudden": _sudden, "recurring": _recurring}


def course(kind: str, seed: int) -> Course:
    """The light comes from another side for every seed."""
    return KINDS[kind](float(np.random.default_rng([35, seed]).uniform(0, 360)))


def passing(pictures: Pictures, change: Course, seed: int, length: int) -> tuple[Array, Array]:
    """The stream: uint8 [length, ...] and classes. Each picture of ``stream`` passes once, or as often as all others,
    at another moment, and so in another light."""
    draw = np.random.default_rng([36, seed])
    x, y = pictures.stream
    rows = np.concatenate([draw.permutation(len(y)) for _ in range(-(-length // len(y)))])[:length]
    seen = [change.at(i / length).see(x[row : row + 1], draw) for i, row in enumerate(rows)]
    return np.concatenate(seen), y[rows]


def asked(pictures: Pictures, change: Course, seed: int) -> Iterator[Array]:
    """The test pictures as the camera sees them at the end of each turn."""
    draw = np.random.default_rng([37, seed])
    for turn in range(1, TURNS + 1):
        yield change.at(turn / TURNS - 1e-6).see(pictures.test[0], draw)
