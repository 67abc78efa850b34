"""A camera in its weather as one value: a clean scene in, the bytes of a picture out."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from .air import fogged
from .lamp import lit
from .lens import blurred, veiled
from .rain import rained
from .sensor import sensed

Array = npt.NDArray[Any]
RATIOS = ("exposure", "gain", "full_well")  # the middle between two of these is their geometric mean
SMALLEST, LARGEST = 1e-3, 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """``Camera()`` is a good sensor on a clear day: what it sees of a scene differs from it by its noise alone.

    slope: how much brighter the light is at one edge than in the middle, as a share of it, 0..1; towards: where that
    edge is, degrees: 0 right, 90 below (:func:`lit`).
    fog: optical depth of the air in the middle of the picture: what is there is seen at exp(-fog); rise: by how much
    deeper it is at the upper edge, as a share, 0..1; airlight: luminance of the fog (:func:`fogged`).
    rain: mm an hour; wind: degrees by which drops fall aslant; shutter: seconds; pixel: mm of the scene that a pixel
    sees; room: metres of rain before the scene; sky: luminance that drops show (:func:`rained`).
    contrast: share of the scene's contrast that a dirty lens leaves; veil: luminance that it scatters (:func:`veiled`).
    blur: standard deviation of the point spread, pixels (:func:`blurred`).
    exposure: light on the sensor against a full one; gain: of the amplifier; full_well: electrons of white;
    read_noise: electrons (:func:`sensed`).

    Luminances are as the scene's, in which 1 is white. Raises ``InvalidInput`` for what is out of range.
    """

    slope: float = 0.0
    towards: float = 0.0
    fog: float = 0.0
    rise: float = 0.5
    airlight: float = 0.8
    rain: float = 0.0
    wind: float = 10.0
    shutter: float = 0.004
    pixel: float = 2.0
    room: float = 2.0
    sky: float = 3.0
    contrast: float = 1.0
    veil: float = 0.5
    blur: float = 0.0
    exposure: float = 1.0
    gain: float = 1.0
    full_well: float = 20_000.0
    read_noise: float = 5.0

    def __post_init__(self) -> None:
        bounds = {
            "slope": (0, 1), "towards": (-360, 360), "fog": (0, 20), "rise": (0, 1), "airlight": (0, 10),
            "rain": (0, 300), "wind": (-60, 60), "shutter": (1e-5, 1), "pixel": (0.01, 1000), "room": (0, 100),
            "sky": (0, 100), "contrast": (0, 1), "veil": (0, 10), "blur": (0, 50), "exposure": (SMALLEST, 1e3),
            "gain": (SMALLEST, 1e3), "full_well": (10, LARGEST), "read_noise": (0, LARGEST),
        }  # fmt: skip
        for field in fields(self):
            value, (low, high) = getattr(self, field.name), bounds[field.name]
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if not number or not low <= value <= high:
                raise InvalidInput(f"camera {field.name}", value, f"give a number in {low:g}..{high:g}")

    def see(self, scenes: npt.ArrayLike, random: np.random.Generator) -> npt.NDArray[np.uint8]:
        """``scenes`` [n, channels, height, width], uint8 or numbers in 0..1 -> uint8 of the same shape.

        Weather and noise are drawn from ``random``, anew for each. Raises ``InvalidInput`` for other shapes and values.
        """
        given = np.asarray(scenes)
        if given.ndim != 4 or not all(given.shape[1:]) or given.dtype.kind not in "fu":
            raise InvalidInput("scenes", f"{given.dtype}{list(given.shape)}", "give [n, channels, height, width]")
        light = given.astype(np.float32) * np.float32(1 / 255 if given.dtype == np.uint8 else 1)
        if light.size and not (light.min() >= 0 and light.max() <= 1):
            raise InvalidInput("scenes", f"{light.min():g}..{light.max():g}", "give luminances in 0..1, or bytes")
        light = fogged(lit(light, self.slope, self.towards), self.fog, self.rise, self.airlight)
        light = rained(light, self, random)
        light = blurred(veiled(light, self.contrast, self.veil), self.blur)
        return sensed(light, self.exposure, self.gain, self.full_well, self.read_noise, random)

    def nearing(self, other: Camera, share: float) -> Camera:
        """``share`` of the way to ``other``: 0 is this one, 1 the other. Raises ``InvalidInput`` outside of that."""
        if not 0 <= share <= 1:
            raise InvalidInput("share", share, "give a number in 0..1")
        made = {}
        for field in fields(self):
            here, there = getattr(self, field.name), getattr(other, field.name)
            ratio = field.name in RATIOS
            made[field.name] = here * (there / here) ** share if ratio else here + (there - here) * share
        return Camera(**made)
