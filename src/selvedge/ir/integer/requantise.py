"""From scales to the integers a kernel holds: multipliers, shifts, the clamp of the fused activation.

Sources: ``kernel_util.cc`` (PopulateConvolutionQuantizationParams, CalculateActivationRangeQuantized),
``internal/reference/integer_ops/fully_connected.h``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..quant import Quant
from .fixed_point import multiply, quantise_multiplier, saturated

INT8_MIN, INT8_MAX = -128, 127
# The fused activations by name: the real values that they clamp to.
ACTIVATIONS: dict[str, tuple[float | None, float | None]] = {
    "none": (None, None),
    "relu": (0.0, None),
    "relu_n1_to_1": (-1.0, 1.0),
    "relu6": (0.0, 6.0),
}


@dataclass(frozen=True, slots=True)
class Requantise:
    """int32 accumulators to int8: clamp(zero_point + accumulator * multiplier / 2**31 * 2**shift, low, high).

    multiplier, shift: one for all, or one an output channel (the last axis).
    """

    multiplier: tuple[int, ...]
    shift: tuple[int, ...]
    zero_point: int
    low: int
    high: int

    def __call__(self, accumulator: np.ndarray) -> np.ndarray:
        """accumulator: int64 [..., channels]; int8 of the same shape."""
        scaled = multiply(saturated(accumulator), np.array(self.multiplier), np.array(self.shift))
        return np.asarray(np.clip(scaled + self.zero_point, self.low, self.high).astype(np.int8))


@dataclass(frozen=True, slots=True)
class RequantiseFloat64:
    """int32 accumulators to int8: clamp(zero_point + round(accumulator * scale), low, high), in float64, halves away
    from zero, rounded once. That is how the reference's linear layer rescales; its other kernels use fixed point."""

    scale: tuple[float, ...]
    zero_point: int
    low: int
    high: int

    def __call__(self, accumulator: np.ndarray) -> np.ndarray:
        """accumulator: int64 [..., channels]; int8 of the same shape."""
        real = saturated(accumulator) * np.array(self.scale)
        magnitude = np.abs(real)
        whole = np.floor(magnitude)
        rounded = np.copysign(whole + (magnitude - whole >= 0.5), real)
        return np.asarray(np.clip(rounded + self.zero_point, self.low, self.high).astype(np.int8))


def requantise(reals: Iterable[float], y: Quant, activation: str = "none") -> Requantise:
    """The integers for real multipliers ``reals`` and a result quantised as ``y``. Raises ``ValueError``."""
    pairs = [quantise_multiplier(real) for real in reals]
    low, high = clamp(y, activation)
    return Requantise(tuple(m for m, _ in pairs), tuple(s for _, s in pairs), y.zero_point[0], low, high)


def product_scales(x: Quant, w: Quant, y: Quant) -> list[float]:
    """x.scale * w.scale / y.scale for each of w's, in float64."""
    return [x.scale[0] * scale / y.scale[0] for scale in w.scale]


def clamp(y: Quant, activation: str) -> tuple[int, int]:
    """The int8 values that a fused activation allows; float32 quotients, halves away from zero."""
    least, most = ACTIVATIONS[activation]
    return (
        INT8_MIN if least is None else max(INT8_MIN, _quantised(least, y)),
        INT8_MAX if most is None else min(INT8_MAX, _quantised(most, y)),
    )


def _quantised(value: float, y: Quant) -> int:
    exact = value / y.scale[0]
    if abs(exact) >= 2**31:
        raise ValueError(f"a scale of {y.scale[0]} is too small for a clamp at {value}")
    steps = float(np.float32(exact))
    return y.zero_point[0] + int(math.copysign(math.floor(abs(steps) + 0.5), steps))
