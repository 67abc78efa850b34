"""int8 sum and product of two, and the clamps that stand alone.

Sources: ``add.cc``, ``mul.cc``, ``internal/reference/integer_ops/{add,mul}.h``; ``activations.cc`` (ReluPrepare,
QuantizedReluX).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..quant import Quant
from .fixed_point import multiply, quantise_multiplier, saturated
from .requantise import Requantise, requantise

# Bits that both summands are shifted left by, so that their rescaling loses little.
ADD_SHIFT = 20


@dataclass(frozen=True, slots=True)
class Rescale:
    """(x - zero_point) * multiplier / 2**31 * 2**shift."""

    zero_point: int
    multiplier: int
    shift: int

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return multiply((x.astype(np.int64) - self.zero_point) << ADD_SHIFT, self.multiplier, self.shift)


@dataclass(frozen=True, slots=True)
class Addition:
    """The integers of one sum."""

    a: Rescale
    b: Rescale
    result: Requantise


def addition(a: Quant, b: Quant, y: Quant, activation: str = "none") -> Addition:
    """Raises ``ValueError`` where the result's scale is so small that its multiplier is not below one."""
    twice = 2 * max(a.scale[0], b.scale[0])
    real = twice / (2**ADD_SHIFT * y.scale[0])
    # That the multiplier rounds up to one is refused too, as by QuantizeMultiplierSmallerThanOneExp.
    if real >= 1 or quantise_multiplier(real)[1] > 0:
        raise ValueError(f"a result's scale of {y.scale[0]} is too small for summands of scale {twice / 2}")
    left, right = (Rescale(q.zero_point[0], *quantise_multiplier(q.scale[0] / twice)) for q in (a, b))
    return Addition(left, right, requantise([real], y, activation))


def add(a: np.ndarray, b: np.ndarray, *, by: Addition) -> np.ndarray:
    """int8 + int8, broadcast, to int8."""
    return by.result(saturated(by.a(a) + by.b(b)))


def product(a: Quant, b: Quant, y: Quant, activation: str = "none") -> Requantise:
    """The integers of a product; each step of a.scale * b.scale / y.scale is rounded to float32. ``ValueError``."""
    with np.errstate(over="ignore", under="ignore"):
        real = np.float32(a.scale[0]) * np.float32(b.scale[0]) / np.float32(y.scale[0])
    return requantise([float(real)], y, activation)


def mul(a: np.ndarray, b: np.ndarray, *, a_zero: int, b_zero: int, requantise: Requantise) -> np.ndarray:
    """int8 x int8, broadcast, to int8."""
    return requantise((a.astype(np.int64) - a_zero) * (b.astype(np.int64) - b_zero))


def clamping(x: Quant, y: Quant, activation: str) -> Requantise:
    """The integers of a relu that stands alone; the quotient of its scales is rounded to float32."""
    exact = x.scale[0] / y.scale[0]
    # Beyond float32 it is refused below.
    return requantise([float(np.float32(exact)) if exact < 2**31 else exact], y, activation)


def relu(x: np.ndarray, *, x_zero: int, requantise: Requantise) -> np.ndarray:
    """int8 to int8 of the same shape; which clamp it is, ``requantise`` says."""
    return requantise(x.astype(np.int64) - x_zero)
