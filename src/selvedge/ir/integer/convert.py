"""Between real numbers and int8, and from one int8 to another.

Sources: ``quantize.cc``, ``dequantize.cc``, ``internal/reference/requantize.h``.
"""

from __future__ import annotations

import numpy as np

from ..quant import Quant
from .requantise import INT8_MAX, INT8_MIN, Requantise


def quantise(x: np.ndarray, *, by: Quant) -> np.ndarray:
    """float32 to int8 of one scale: clamp(round(x / scale) + zero_point), halves away from zero. NaN is zero_point."""
    with np.errstate(over="ignore", invalid="ignore"):
        steps = x.astype(np.float32) / np.float32(by.scale[0])
        magnitude = np.abs(steps)
        whole = np.floor(magnitude)
        # Not floor(steps + 0.5): in float32 that rounds 0.49999997 up.
        rounded = np.copysign(whole + (magnitude - whole >= np.float32(0.5)), steps).astype(np.float64)
    whole_steps = np.nan_to_num(rounded, nan=0.0) + by.zero_point[0]
    return np.asarray(np.clip(whole_steps, INT8_MIN, INT8_MAX).astype(np.int8))


def dequantise(x: np.ndarray, *, by: Quant) -> np.ndarray:
    """int8 (or int32) to float32: scale * (x - zero_point), along ``by.axis`` where there are several scales."""
    shape = [1] * x.ndim
    if by.axis is not None:
        shape[by.axis] = -1
    scale, zero = np.array(by.scale).reshape(shape), np.array(by.zero_point, np.int64)
    centred = x - (zero.reshape(shape) if len(by.zero_point) > 1 else zero)
    with np.errstate(over="ignore"):
        return np.asarray((centred * scale).astype(np.float32))


def rescale(x: np.ndarray, *, x_zero: int, requantise: Requantise) -> np.ndarray:
    """int8 to int8 of another scale."""
    return requantise(x.astype(np.int64) - x_zero)
