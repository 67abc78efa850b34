"""From the sensor's bytes to the model's numbers, as data that travels with the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from ..errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Preprocess:
    """``x = byte * scale + offset``, one pair for all channels or one a channel."""

    scale: tuple[float, ...] = (1 / 255,)
    offset: tuple[float, ...] = (0.0,)

    def __post_init__(self) -> None:
        for field, values in (("scale", self.scale), ("offset", self.offset)):
            if not values or not all(isinstance(v, int | float) and isfinite(v) for v in values):
                raise InvalidInput(f"preprocess {field}", values, "give finite numbers: one, or one a channel")
        if not all(self.scale):
            raise InvalidInput("preprocess scale", self.scale, "0 would make every input the same")

    def per_channel(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Scale and offset for each of ``channels`` channels. Raises ``InvalidInput`` for another number of them."""

        def spread(values: tuple[float, ...], field: str) -> tuple[float, ...]:
            if len(values) not in (1, channels):
                fix = f"give 1 or {channels}: one a channel"
                raise InvalidInput(f"preprocess {field}", f"of {len(values)} values", fix)
            return values * channels if len(values) == 1 else values

        return spread(self.scale, "scale"), spread(self.offset, "offset")

    def __call__(self, raw: np.ndarray, dtype: str = "float32") -> np.ndarray:
        """The model's input for ``raw`` uint8 in PyTorch's axis order (N, C, ...)."""
        scale, offset = self.per_channel(raw.shape[1])
        shape = (1, -1) + (1,) * (raw.ndim - 2)
        s = np.asarray(scale, dtype).reshape(shape)
        o = np.asarray(offset, dtype).reshape(shape)
        return np.asarray(np.asarray(raw, dtype) * s + o)

    def to_dict(self) -> dict[str, Any]:
        return {"scale": list(self.scale), "offset": list(self.offset)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Preprocess:
        return cls(tuple(float(v) for v in data["scale"]), tuple(float(v) for v in data["offset"]))
