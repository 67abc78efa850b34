"""State in fewer bytes: bfloat16, and 8 bits with a scale a block. Twins of native/compact.h, bit for bit.

Rounding is stochastic: up or down in proportion to what is lost, by a hash of the number and of the count of updates.
To nearest, Adam's second moment could never decay: 0.1 % a step is less than half a unit of either format. The maps of
8 bits follow Dettmers et al., "8-bit Optimizers via Block-wise Quantization" (2021), in being fine near zero and coarse
at a block's largest; c -> c^2 stands for their piecewise one, and second moments are kept by their roots.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph import Spec
from ..op import Arrays, Attrs, Cost, Op, register
from ..rules import arity, attr, float_dtype, require
from .elementwise import per_element

BLOCK = 64  # SV_BLOCK
ROUNDED = 2**15  # steps of the random number between two codes


def noise(x: np.ndarray, place: np.ndarray, rounds: np.ndarray) -> np.ndarray:
    """uint32 for each element of ``x`` at ``place`` of its block: sv_noise. lowbias32 of Wellons, "Prospecting for hash
    functions" (2018)."""
    places = place.astype(np.uint32) * np.uint32(0x85EBCA6B) + rounds.astype(np.uint32) * np.uint32(0x9E3779B9)
    h = np.ascontiguousarray(x, np.float32).reshape(x.shape).view(np.uint32) + places
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        h = (h ^ (h >> np.uint32(shift))) * np.uint32(factor)
    return np.asarray(h ^ (h >> np.uint32(16)), np.uint32)


# from_bfloat16(code){dtype}, to_bfloat16(x, rounds)


def _from_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("from_bfloat16", specs, 1)
    dtype = attr("from_bfloat16", attrs, "dtype")
    require(dtype in ("float32", "float64"), "from_bfloat16", "dtype", dtype, "must be float32 or float64")
    require(specs[0].dtype == "uint16", "from_bfloat16", "input dtype", specs[0].dtype, "must be uint16")
    return (Spec(specs[0].shape, dtype),)


def _from(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    bits = np.ascontiguousarray(arrays[0]).astype(np.uint32) << np.uint32(16)
    return (np.asarray(bits).view(np.float32).astype(attrs["dtype"]),)


def _to_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    _with_rounds("to_bfloat16", specs)
    return (Spec(specs[0].shape, "uint16"),)


def _to(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    x, rounds = arrays
    single = np.ascontiguousarray(x, np.float32).reshape(x.shape)
    bits = single.view(np.uint32)
    carried = bits + (noise(single, np.zeros(()), rounds) >> np.uint32(16))
    special = np.where(np.isnan(single), bits | np.uint32(0x400000), bits)
    return ((np.where(np.isfinite(single), carried, special) >> np.uint32(16)).astype(np.uint16),)


def _with_rounds(op: str, specs: Sequence[Spec]) -> None:
    """A float array, and the number of updates made: 0-d."""
    arity(op, specs, 2)
    float_dtype(op, specs)
    require(specs[1].shape == (), op, "rounds shape", specs[1].shape, "must be ()")


register(Op("from_bfloat16", _from_infer, _from, None, per_element, elementwise=True))
register(Op("to_bfloat16", _to_infer, _to, None, per_element, elementwise=True))


# quantize(x, rounds), dequantize(codes, scales): the C order of the elements, BLOCK at a time, the last block shorter.
# quantize_square and dequantize_square: of what is never negative.


def blocks(size: int) -> int:
    """Scales of ``size`` elements."""
    return -(-size // BLOCK)


def _blocked(x: np.ndarray) -> np.ndarray:
    """[blocks, BLOCK], filled up with zeros."""
    filled = np.zeros((blocks(x.size), BLOCK), x.dtype)
    filled.ravel()[: x.size] = x.ravel()
    return filled


def _levels(op: str) -> tuple[str, int]:
    return ("uint8", 255) if op.endswith("square") else ("int8", 127)


def _register(suffix: str) -> None:
    quantize, dequantize = f"quantize{suffix}", f"dequantize{suffix}"
    codes, levels = _levels(quantize)

    def quantize_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
        _with_rounds(quantize, specs)
        return Spec(specs[0].shape, codes), Spec((blocks(specs[0].size),), specs[0].dtype)

    def quantized(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
        x, rounds = _blocked(arrays[0]), arrays[1]
        size = np.sqrt(np.maximum(x, 0)) if suffix else np.abs(x)
        largest = size.max(1, keepdims=True, initial=0)
        scale = np.where(np.isfinite(_sum(x)), largest, np.nan).astype(x.dtype)
        share = np.where(scale > 0, size / np.where(scale > 0, scale, 1), 0).astype(x.dtype)
        low = np.minimum((np.sqrt(share) * levels).astype(np.int32), levels - 1)
        random = (noise(x, np.arange(BLOCK), rounds) >> np.uint32(17)).astype(x.dtype) / ROUNDED
        border = (low * low).astype(x.dtype) + (2 * low + 1).astype(x.dtype) * random
        code = low + (share * np.asarray(levels * levels, x.dtype) > border)
        code = np.where(x > 0, np.maximum(code, 1), 0) if suffix else np.where(x < 0, -code, code)
        code = np.where(scale > 0, code, 0).astype(codes).ravel()[: arrays[0].size]
        return code.reshape(arrays[0].shape), scale[:, 0]

    def dequantize_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
        arity(dequantize, specs, 2)
        require(specs[0].dtype == codes, dequantize, "codes dtype", specs[0].dtype, f"must be {codes}")
        shape = (blocks(specs[0].size),)
        require(specs[1].shape == shape, dequantize, "scales shape", specs[1].shape, f"must be {shape}")
        return (Spec(specs[0].shape, float_dtype(dequantize, specs[1:])),)

    def dequantized(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
        scale = arrays[1][:, None]
        code = _blocked(arrays[0]).astype(scale.dtype)
        value = code * np.abs(code) * (scale / np.asarray(levels * levels, scale.dtype))
        value = value * value if suffix else value
        return (value.ravel()[: arrays[0].size].reshape(arrays[0].shape),)

    register(Op(quantize, quantize_infer, quantized, None, _cost))
    register(Op(dequantize, dequantize_infer, dequantized, None, per_element))


def _sum(x: np.ndarray) -> np.ndarray:
    """0 for a block of finite numbers, else NaN."""
    return np.asarray((x - x).sum(1, keepdims=True))


def _cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    """The largest of a block, then root, quotient, hash and choice."""
    return Cost(ops=20 * outs[0].size)


for _suffix in ("", "_square"):
    _register(_suffix)
