"""Saved activations made small: a bit for where a gradient passed, 8 bits and a scale a channel. Twins of
native/saved.h, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph import Node, Spec, Value
from ..op import TABLE, Arrays, Attrs, Cost, Op, apply, register
from ..rules import arity, attr, float_dtype, number, require
from .elementwise import per_element

GATES = ("relu", "hardtanh", "clamp")  # what passes a gradient as it is, or not at all
LEVELS = 127

# pack_mask(saved){of, its numbers}: bit i % 8 of byte i / 8 says whether the gradient of element i passes, C order


def packed(size: int) -> int:
    """Bytes of a mask of ``size`` elements."""
    return -(-size // 8)


def _pack_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("pack_mask", specs, 1)
    float_dtype("pack_mask", specs)
    of = attr("pack_mask", attrs, "of")
    require(of in GATES, "pack_mask", "of", of, f"must be one of {', '.join(GATES)}")
    for field in TABLE[of].numbers:
        number("pack_mask", attrs, field)
    return (Spec((packed(specs[0].size),), "uint8"),)


def _pack(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    saved = arrays[0]
    passed = TABLE[f"{attrs['of']}_grad"].evaluate((np.ones_like(saved), saved), attrs)[0]
    return (np.packbits(passed.ravel() != 0, bitorder="little"),)


def _pack_cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    return Cost(ops=ins[0].size)


register(Op("pack_mask", _pack_infer, _pack, None, _pack_cost))


# masked_grad(dy, mask) -> dx: dy where the mask has a one, else 0


def _masked_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("masked_grad", specs, 2)
    mask = Spec((packed(specs[0].size),), "uint8")
    require(specs[1] == mask, "masked_grad", "mask", specs[1], f"must be {mask}")
    return (Spec(specs[0].shape, float_dtype("masked_grad", specs[:1])),)


def _masked(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    dy, mask = arrays
    bits = np.unpackbits(mask, count=dy.size, bitorder="little").reshape(dy.shape)
    return (np.where(bits, dy, 0).astype(dy.dtype),)


def _masked_gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> Sequence[Value | None]:
    return [grads[0] and apply("masked_grad", grads[0], node.inputs[1]), None]


register(Op("masked_grad", _masked_infer, _masked, _masked_gradient, per_element))


# quantize_channels(x) -> (codes, scales): x is about codes * scales, at most half a scale away. A channel is an index
# of the last axis; its scale is its largest magnitude / 127. One that is not finite has codes 0 and such a scale.


def _quantize_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("quantize_channels", specs, 1)
    x = specs[0]
    require(bool(x.shape), "quantize_channels", "x shape", x.shape, "must have an axis")
    return Spec(x.shape, "int8"), Spec(x.shape[-1:], float_dtype("quantize_channels", specs))


def _quantize(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    x = arrays[0]
    largest = np.abs(x).reshape(-1, x.shape[-1]).max(0, initial=0)
    scale = (largest / np.asarray(LEVELS, x.dtype)).astype(x.dtype)
    usable = (scale > 0) & np.isfinite(scale)
    share = x / np.where(usable, scale, np.asarray(1, x.dtype))
    away = np.trunc(share + np.copysign(np.asarray(0.5, x.dtype), share))  # halves away from zero
    return np.where(usable, np.clip(away, -LEVELS, LEVELS), 0).astype(np.int8), scale


def _quantize_cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    """Magnitude, largest, quotient, rounding, limits."""
    return Cost(ops=6 * ins[0].size)


register(Op("quantize_channels", _quantize_infer, _quantize, None, _quantize_cost))
