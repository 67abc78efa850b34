"""int8 functions of one value as tables of 256.

Sources: ``activations.cc``, ``internal/common.h`` (LUTPopulate).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..quant import Quant
from .requantise import INT8_MAX, INT8_MIN


def _logistic(x: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        power = np.exp(-x.astype(np.float64)).astype(np.float32)
    return np.float32(1) / (np.float32(1) + power)


def _tanh(x: np.ndarray) -> np.ndarray:
    return np.tanh(x.astype(np.float64)).astype(np.float32)


# float32 to float32. The exponentials are rounded from float64: numpy's own of float32 differ between machines.
FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"logistic": _logistic, "tanh": _tanh}


def table(function: str, x: Quant, y: Quant) -> np.ndarray:
    """int8 [256]: the result for each input -128..127, computed in float32, halves away from zero. Raises
    ``ValueError`` for a result's scale that has no float32 inverse."""
    values = np.arange(INT8_MIN, INT8_MAX + 1)
    with np.errstate(over="ignore"):
        given = np.float32(x.scale[0]) * (values - x.zero_point[0]).astype(np.float32)
    return entries(FUNCTIONS[function](given), y)


def entries(real: np.ndarray, y: Quant) -> np.ndarray:
    """int8 of the results ``real``, float32; NaN is the zero point. Raises as :func:`table`."""
    if y.scale[0] < np.finfo(np.float32).tiny:
        raise ValueError(f"a scale of {y.scale[0]} is too small for a table")
    with np.errstate(over="ignore", invalid="ignore"):
        steps = real.astype(np.float32) * (np.float32(1) / np.float32(y.scale[0]))
    rounded = np.copysign(np.floor(np.abs(steps.astype(np.float64)) + 0.5), steps)
    whole = np.nan_to_num(rounded, nan=0.0) + y.zero_point[0]
    return np.asarray(np.clip(whole, INT8_MIN, INT8_MAX).astype(np.int8))


def look_up(x: np.ndarray, *, entries: np.ndarray) -> np.ndarray:
    """int8 to int8 of the same shape."""
    return np.asarray(entries[x.astype(np.int64) - INT8_MIN])
