"""int8 mean. Sources: ``reduce.cc`` (EvalMean), ``internal/reference/reduce.h`` (QuantizedMeanOrSum)."""

from __future__ import annotations

import math

import numpy as np

from ..quant import Quant
from .fixed_point import quantise_multiplier
from .requantise import INT8_MAX, INT8_MIN, Requantise


def averaging(x: Quant, y: Quant, count: int) -> Requantise:
    """The integers of a mean of ``count`` values: the division by it is folded into the multiplier."""
    multiplier, shift = quantise_multiplier(x.scale[0] / y.scale[0])
    # At most 31 + shift, so that the shift that is left stays within the 31 bits of a division.
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    return Requantise(((multiplier << bits) // count,), (shift - bits,), y.zero_point[0], INT8_MIN, INT8_MAX)


def mean(x: np.ndarray, *, axes: tuple[int, ...], keep: bool, x_zero: int, requantise: Requantise) -> np.ndarray:
    """int8 mean over ``axes`` to int8; ``keep``: they stay, with extent 1."""
    count = math.prod(x.shape[a] for a in axes)
    return requantise(x.astype(np.int64).sum(axis=axes, keepdims=keep) - x_zero * count)
