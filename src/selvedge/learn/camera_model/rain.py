"""Streaks of rain: drops that fall through the picture while the shutter is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from .camera import Camera

Array = npt.NDArray[Any]
SEEN = 0.5  # mm: smaller drops are mist, which is fog
DENSITY = 8000.0  # drops a cubic metre and mm of diameter
AT_ONCE = 4096  # streaks


def drops(rain: float, n: int, random: np.random.Generator) -> Array:
    """Diameters of ``n`` drops in mm, [n]: exponential with Lambda = 4.1 R^-0.21 a mm above 0.5 mm (Marshall & Palmer,
    *The distribution of raindrops with size*, 1948)."""
    return np.asarray(SEEN + random.exponential(1 / _slope(rain), n))


def speed(diameter: Array) -> Array:
    """Of falling, m/s: 9.65 - 10.3 exp(-0.6 D), D in mm (Atlas, Srivastava & Sekhon 1973)."""
    return np.asarray(9.65 - 10.3 * np.exp(-0.6 * diameter))


def concentration(rain: float) -> float:
    """Drops above 0.5 mm in a cubic metre: the integral of 8000 exp(-Lambda D)."""
    slope = _slope(rain)
    return float(DENSITY / slope * np.exp(-slope * SEEN))


def rained(light: Array, camera: Camera, random: np.random.Generator) -> Array:
    """``light`` [n, c, h, w] behind the rain of ``camera``.

    A drop of D mm covers what is behind it for D / v of the shutter's time T: so its streak, v T long and D wide, is
    mixed in by D / (v T) at most; what it shows is a wide view of the sky (Garg & Nayar, *Vision and rain*, IJCV 2007).
    """
    if not camera.rain:
        return light
    count, _, height, width = light.shape
    metre, time = 1000 / camera.pixel, camera.shutter  # pixels a metre
    longest = float(speed(np.array(10.0))) * time * metre
    volume = width * (height + longest) / metre**2 * camera.room
    many = int(random.poisson(concentration(camera.rain) * volume, count).sum()) if count else 0
    through = np.zeros((count, height, width), np.float32)  # the logarithm of what is left of the scene
    which = random.integers(count, size=many)
    size = drops(camera.rain, many, random)
    x, y = random.uniform(0, width, many), random.uniform(-longest, height, many)
    for i in range(0, many, AT_ONCE):
        part = slice(i, i + AT_ONCE)
        _streaks(through, which[part], size[part], x[part], y[part], camera)
    left = np.exp(through)[:, None]
    return np.asarray(light * left + np.float32(camera.sky) * (1 - left))


def _streaks(through: Array, which: Array, size: Array, x: Array, y: Array, camera: Camera) -> None:
    """Streaks of drops of ``size`` mm from (x, y) downwards into ``through`` [n, h, w], of the pictures ``which``."""
    _, height, width = through.shape
    fall = speed(size) * camera.shutter * 1000  # mm
    wide, long = size / camera.pixel, np.maximum(fall, size) / camera.pixel
    dense = np.minimum(1, size / fall)
    rows = np.arange(height)
    down = np.clip(
        np.minimum(rows + 1, (y + long)[:, None]) - np.maximum(rows, y[:, None]), 0, 1
    )  # of a row that it crosses
    middle = x[:, None] + np.tan(np.deg2rad(camera.wind)) * (rows + 0.5 - y[:, None])
    reach = int(np.ceil(wide.max(initial=0) / 2)) + 1
    first = np.floor(middle).astype(np.intp)
    for offset in range(-reach, reach + 1):
        column = first + offset
        ends = np.minimum(column + 1, middle + wide[:, None] / 2) - np.maximum(column, middle - wide[:, None] / 2)
        covered = dense[:, None] * down * np.clip(ends, 0, 1)
        there = (covered > 0) & (column >= 0) & (column < width)
        streak, row = np.nonzero(there)
        np.add.at(through, (which[streak], row, column[there]), np.log1p(-np.minimum(covered[there], 0.999)))


def _slope(rain: float) -> float:
    """Lambda, 1/mm."""
    return float(4.1 * rain**-0.21)
