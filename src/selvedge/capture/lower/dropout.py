"""Dropout that is on: a mask of its own for each, drawn anew every step."""

from __future__ import annotations

from math import prod

import numpy as np

from ... import ir
from ..live import Live
from ..tensor import Tensor
from .arithmetic import binary
from .table import Call, lowers


@lowers("dropout.default", "dropout_.default")
def dropout(call: Call, x: Tensor, p: float, train: bool) -> Tensor:
    """Dropout that is off has left the graph before."""
    return drawn(call, x, p)


@lowers("native_dropout.default")
def native_dropout(call: Call, x: Tensor, p: float, train: bool | None) -> tuple[Tensor, None]:
    return drawn(call, x, p) if train else x, None


@lowers("feature_dropout.default")
def feature_dropout(call: Call, x: Tensor, p: float, train: bool) -> Tensor:
    """Whole channels of a sample; they are stored last."""
    call.require(x.rank >= 2, "give it [samples, channels, ...]")
    x = x.to((0, *range(2, x.rank), 1), call.where)
    return _drawn(call, x, p, (x.shape[0], prod(x.shape[2:]), x.shape[1]))


@lowers("bernoulli.p")
def bernoulli(call: Call, x: Tensor, p: float, generator: object = None) -> Tensor:
    """1 with probability ``p``, else 0; of ``x`` only the shape counts."""
    if p in (0, 1):
        return x.like(ir.constant(np.full(x.value.shape, float(p)), x.value.dtype))
    ones = x.like(ir.constant(np.ones(x.value.shape), x.value.dtype))
    return binary(call, "mul", drawn(call, ones, 1 - p), p)


def drawn(call: Call, x: Tensor, p: float) -> Tensor:
    """Each number of ``x`` by itself."""
    return _drawn(call, x, p, (1, 1, x.value.spec.size))


def _drawn(call: Call, x: Tensor, p: float, shape: tuple[int, int, int]) -> Tensor:
    """``shape``: [A, R, C] of the stored elements; a mask for each, where R is 1, or for each [A, :, C]."""
    if p == 0:
        return x
    if p == 1:
        return binary(call, "mul", x, 0.0)
    count, salt = _live(call).mask(x.value.dtype)
    flat = ir.reshape(x.value, shape, call.where)
    y = call.apply("dropout", flat, count, p=float(p), salt=salt, whole=shape[1] > 1)
    return x.like(ir.reshape(y, x.value.shape, call.where))


def _live(call: Call) -> Live:
    if call.live is None or call.live.seed is None:
        raise call.refuse("export the model after model.eval(), or let sv.plan(dropout=SEED) draw its masks")
    return call.live
