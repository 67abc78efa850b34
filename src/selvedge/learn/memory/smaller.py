"""Pictures and series at a lower resolution, then through another codec."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from .codec import Bounds, Codec, Samples, Shape, checked, restored, rounding
from .packing import Bytes
from .raw import Raw


@dataclass(frozen=True, slots=True)
class Smaller:
    """The mean of every ``factor`` x ``factor`` block of the last two axes (of a vector: of ``factor`` elements).

    ``inner`` codes what is left. ``decode_by``: "nearest" repeats a block's value, "bilinear" goes evenly from one
    block's centre to the next one's. A block at the far edge may be cut off; its mean is of what there is.
    """

    factor: int
    inner: Codec = field(default_factory=Raw)
    decode_by: str = "nearest"

    def __post_init__(self) -> None:
        if not isinstance(self.factor, int) or self.factor < 2:
            raise InvalidInput("codec factor", self.factor, "give a whole number of at least 2")
        if self.decode_by not in ("nearest", "bilinear"):
            raise InvalidInput("codec decode_by", self.decode_by, "give nearest or bilinear")
        checked("codec inner", self.inner)

    def __str__(self) -> str:
        how = "" if self.decode_by == "nearest" else f" {self.decode_by}"
        return f"1/{self.factor}{how}+{self.inner}"

    def size(self, shape: Shape, dtype: np.dtype[Any]) -> int:
        if not shape:
            raise InvalidInput("codec", str(self), "a sample of one number has nothing to be made smaller")
        return self.inner.size(self._small(shape), dtype)

    def encode(self, samples: Samples) -> Bytes:
        return self.inner.encode(self._pooled(samples))

    def decode(self, data: Bytes, shape: Shape, dtype: np.dtype[Any]) -> Samples:
        small = self.inner.decode(data, self._small(shape), dtype)
        for axis in _axes(shape):
            small = self._longer(small, axis, shape[axis])
        return restored(small, dtype) if small.dtype != dtype else np.ascontiguousarray(small)

    def bound(self, samples: Samples) -> Bounds:
        """The widest range of a block (bilinear: of a block and its neighbours), and the inner codec's bound."""
        shape = samples.shape[1:]
        low = high = samples.astype(np.float64)
        for axis in _axes(shape):
            low, high = self._reduced(np.minimum, low, axis), self._reduced(np.maximum, high, axis)
            if self.decode_by == "bilinear":
                low, high = _near(np.minimum, low, axis), _near(np.maximum, high, axis)
        widest = (high - low).reshape(len(samples), -1).max(1)
        found: Bounds = widest + self.inner.bound(self._pooled(samples)) + 2 * rounding(samples)
        return found

    def _small(self, shape: Shape) -> Shape:
        axes = [len(shape) + axis for axis in _axes(shape)]
        return tuple(-(-n // self.factor) if i in axes else n for i, n in enumerate(shape))

    def _pooled(self, samples: Samples) -> Samples:
        means: npt.NDArray[Any] = samples.astype(np.float64)
        for axis in _axes(samples.shape[1:]):
            counts = self._reduced(np.add, np.ones(samples.shape[axis]), -1)
            counts = counts.reshape(-1, *(1,) * (-axis - 1))
            means = self._reduced(np.add, means, axis) / counts
        return restored(means, samples.dtype)

    def _reduced(self, by: np.ufunc, values: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
        with np.errstate(invalid="ignore", over="ignore"):  # the codec behind makes a number of it
            found: npt.NDArray[Any] = by.reduceat(values, np.arange(0, values.shape[axis], self.factor), axis=axis)
        return found

    def _longer(self, small: npt.NDArray[Any], axis: int, n: int) -> npt.NDArray[Any]:
        if self.decode_by == "nearest":
            return np.repeat(small, self.factor, axis=axis).take(np.arange(n), axis=axis)
        starts = np.arange(0, n, self.factor)
        centres = (starts + np.minimum(starts + self.factor, n) - 1) / 2
        places = np.clip(np.interp(np.arange(n), centres, np.arange(len(centres))), 0, len(centres) - 1)
        left = np.floor(places).astype(np.intp)
        share = (places - left).reshape(-1, *(1,) * (-axis - 1))
        right = np.minimum(left + 1, len(centres) - 1)
        values = small.astype(np.float64)
        found: npt.NDArray[Any] = values.take(left, axis) * (1 - share) + values.take(right, axis) * share
        return found


def _axes(shape: Shape) -> tuple[int, ...]:
    return (-2, -1) if len(shape) > 1 else (-1,)


def _near(by: np.ufunc, values: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
    """Of each place and its two neighbours along ``axis``."""
    places = np.arange(values.shape[axis])
    found: npt.NDArray[Any] = by.reduce(
        [values.take(np.clip(places + by_how_many, 0, places[-1]), axis) for by_how_many in (-1, 0, 1)]
    )
    return found
