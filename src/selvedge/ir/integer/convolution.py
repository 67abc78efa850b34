"""int8 convolution, depthwise included. Sources: ``internal/reference/integer_ops/{conv,depthwise_conv}.h``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..op import TABLE
from .requantise import Requantise


def conv2d(
    x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, *, x_zero: int, requantise: Requantise, **geometry: Any
) -> np.ndarray:
    """int8 [N,H,W,C] by int8 HWIO weights (symmetric, zero point 0) and int32 [O] to int8 [N,H',W',O].

    geometry: that of the float row ``conv2d``. Padding is the zero point, which is the real number 0.
    """
    return requantise(accumulate(x, w, bias, x_zero, geometry))


def accumulate(
    x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, x_zero: int, geometry: Mapping[str, Any]
) -> np.ndarray:
    """The accumulators, int64 [N,H',W',O]."""
    # A product is below 2**16, so float64 sums of up to 2**37 of them are exact, in any order.
    centred = x.astype(np.float64) - x_zero
    sums = TABLE["conv2d"].evaluate((centred, w.astype(np.float64)), geometry)[0].astype(np.int64)
    return sums if bias is None else sums + bias
