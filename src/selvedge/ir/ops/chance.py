"""Dropout whose mask is a hash of where a number lies and of how often it was drawn before: no bit of it is kept.

Srivastava et al., "Dropout" (2014), scaled while learning. The gradient is the same row over the gradient, so the
backward draws the same mask again: bytes saved for it are none. Twin of native/chance.h, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph import Node, Spec, Value
from ..op import Arrays, Attrs, Cost, Op, apply, register
from ..rules import arity, attr, float_dtype, number, rank, require

# dropout(x [A, R, C], drawn []){p, salt, whole}: each number of x, or with ``whole`` each x[a, :, c], is 0 with
# probability p, and else divided by 1 - p. drawn: how often the mask was drawn before; salt: which mask it is.


def threshold(p: float) -> int:
    """A hash below it drops."""
    return min(round(p * 2**32), 2**32 - 1)


def kept(shape: tuple[int, int, int], drawn: float, p: float, salt: int, whole: bool) -> np.ndarray:
    """Which of x [A, R, C] are kept; bool [A, R, C]."""
    a, rows, c = shape
    place = np.arange(a * c if whole else a * rows * c, dtype=np.uint32)
    key = _mixed(np.array([(int(drawn) * 0x9E3779B9 + salt) % 2**32], np.uint32))
    found = _mixed(place * np.uint32(0x85EBCA6B) + key) >= np.uint32(threshold(p))
    return np.broadcast_to(found.reshape(a, 1, c), shape) if whole else found.reshape(shape)


def _mixed(h: np.ndarray) -> np.ndarray:
    """lowbias32 of Wellons, "Prospecting for hash functions" (2018)."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        h = (h ^ (h >> np.uint32(shift))) * np.uint32(factor)
    return np.asarray(h ^ (h >> np.uint32(16)), np.uint32)


def _infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("dropout", specs, 2)
    rank("dropout", "x", specs[0], 3)
    require(specs[1].shape == (), "dropout", "drawn shape", specs[1].shape, "must be ()")
    p, salt, whole = number("dropout", attrs, "p"), attr("dropout", attrs, "salt"), attr("dropout", attrs, "whole")
    require(0 < p < 1, "dropout", "p", p, "must be above 0 and below 1")
    require(isinstance(salt, int) and 0 <= salt < 2**32, "dropout", "salt", salt, "must be a whole number of 32 bits")
    require(isinstance(whole, bool), "dropout", "whole", whole, "must be a bool")
    return (Spec(specs[0].shape, float_dtype("dropout", specs)),)


def _evaluate(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    x, drawn = arrays
    found = kept(x.shape, float(drawn), attrs["p"], attrs["salt"], attrs["whole"])
    return (np.where(found, x * np.asarray(1 / (1 - attrs["p"]), x.dtype), np.asarray(0, x.dtype)),)


def _gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
    return [grads[0] and apply("dropout", grads[0], node.inputs[1], **node.attrs), None]


def _cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    """A hash, a comparison and a product a number."""
    return Cost(ops=12 * outs[0].size)


register(Op("dropout", _infer, _evaluate, _gradient, _cost))
