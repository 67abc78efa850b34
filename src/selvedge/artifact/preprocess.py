"""From the sensor's bytes to the model's numbers, as data that travels with the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InvalidInput
from .number import finite


@dataclass(frozen=True, slots=True)
class Preprocess:
    """``x = byte * scale + offset``, one pair for all channels (a number) or one a channel (of PyTorch's axis 1)."""

    scale: tuple[float, ...] = (1 / 255,)
    offset: tuple[float, ...] = (0.0,)

    def __post_init__(self) -> None:
        for field, values in (("scale", self.scale), ("offset", self.offset)):
            listed = values if isinstance(values, tuple | list | np.ndarray) else (values,)
            numbers = tuple(v for v in (finite(v) for v in listed) if v is not None)
            if not numbers or len(numbers) != len(listed):
                raise InvalidInput(f"preprocess {field}", values, "give finite numbers: one, or one a channel")
            object.__setattr__(self, field, numbers)
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
