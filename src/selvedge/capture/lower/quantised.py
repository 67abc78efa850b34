"""Quantised numbers: ``quantized_decomposed``, as PT2E writes it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ... import ir
from ..tensor import Tensor
from .table import Call, lowers

_HOME = "quantized_decomposed"
DEQUANTISE = tuple(f"{_HOME}.dequantize_per_{kind}.default" for kind in ("tensor", "channel"))
_KEPT = {torch.int8: "int8", torch.int32: "int32"}


def _one(call: Call, scale: float, zero: int) -> ir.Quant:
    rounded = float(np.float32(scale))
    call.require(np.isfinite(rounded) and rounded > 0, f"a scale of {scale} is not; calibrate again")
    return ir.Quant((rounded,), (int(zero),))


@lowers("quantize_per_tensor.default", home=_HOME)
def quantise(call: Call, x: Tensor, scale: float, zero: int, low: int, high: int, dtype: torch.dtype) -> Tensor:
    """The int8 row rounds halves away from zero, PyTorch to even: they differ by a step at most."""
    whole = dtype is torch.int8 and (low, high) == (-128, 127) and -128 <= zero <= 127
    kind = f"{str(dtype).removeprefix('torch.')} in {low}..{high}"
    call.require(whole, f"activations of {kind} are not; quantise them to int8 in -128..127, as sv.quantise does")
    return call.unary("quantise", x, quant=_one(call, scale, zero))


@lowers("dequantize_per_tensor.default", home=_HOME)
def dequantise(
    call: Call, x: Tensor, scale: float, zero: int, low: int, high: int, dtype: torch.dtype, *_: Any
) -> Tensor:
    return call.unary("dequantise", x, quants=(_one(call, scale, zero),), dtype="float32")


def constant(call: Call, steps: torch.Tensor, scale: Any, zero: Any, *rest: Any) -> Tensor:
    """What is dequantised of the model's state, by one scale or by one a channel: steps that are no parameters."""
    call.require(steps.dtype in _KEPT, f"weights of {steps.dtype} are not; keep them in int8, biases in int32")
    array = steps.detach().cpu().numpy()
    if call.op == DEQUANTISE[0]:
        quant = _one(call, scale, zero)
    else:
        numbers = scale.detach().cpu().numpy().astype(np.float32)
        call.require(bool(np.isfinite(numbers).all() and (numbers > 0).all()), "scales must be positive numbers")
        zeros = np.zeros(1, np.int64) if zero is None or not bool((zero != 0).any()) else zero.detach().cpu().numpy()
        axis = int(rest[0]) % max(1, steps.dim())
        quant = ir.Quant(tuple(map(float, numbers)), tuple(map(int, zeros)), axis)
    value = call.apply("dequantise", ir.constant(array, quant=quant), quants=(quant,), dtype="float32")
    return Tensor.plain(value)
