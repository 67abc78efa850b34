"""What every codec promises."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from .packing import Bytes

Samples = npt.NDArray[Any]
Shape = tuple[int, ...]
Bounds = npt.NDArray[np.float64]


@runtime_checkable
class Codec(Protocol):
    """Samples of one shape and dtype (float32, uint8, ...) in a fixed number of bytes each; a value, without state.

    ``str()`` names it in a saved state, so that bytes are not read by another codec.
    """

    def size(self, shape: Shape, dtype: np.dtype[Any]) -> int:
        """Bytes of one sample. Raises ``InvalidInput`` for a shape or dtype that it cannot take."""

    def encode(self, samples: Samples) -> Bytes:
        """samples: [n, *shape]. Returns uint8 [n, size]."""

    def decode(self, data: Bytes, shape: Shape, dtype: np.dtype[Any]) -> Samples:
        """data: uint8 [n, size]. Returns [n, *shape] of ``dtype``."""

    def bound(self, samples: Samples) -> Bounds:
        """Of each sample, [n]: no element of it, encoded and decoded, is farther from what it was. inf: no bound."""


def checked(field: str, given: Any) -> None:
    """Raises ``InvalidInput`` unless ``given`` is a codec."""
    if isinstance(given, type) or not isinstance(given, Codec):
        raise InvalidInput(field, given, "give a codec, as Bits(4)")


def restored(values: npt.NDArray[Any], dtype: np.dtype[Any]) -> Samples:
    """``values`` as ``dtype``; of whole numbers the nearest one that there is."""
    if dtype.kind in "iu":
        ends = np.iinfo(dtype)
        values = np.clip(np.rint(values), ends.min, ends.max)
    made: Samples = values.astype(dtype)
    return made


def rounding(samples: Samples) -> Bounds:
    """What :func:`restored` may add to an error, [n]: half of a whole number, or the last place of a float."""
    flat = samples.reshape(len(samples), -1)
    if samples.dtype.kind in "iu":
        return np.full(len(flat), 0.5)
    last: Bounds = np.abs(flat).max(1).astype(np.float64) * (4 * float(np.finfo(samples.dtype).eps))
    return last
