"""int8 average pool and mean. Meanings: ``ir/integer/{pooling,reduction}.py``. No gradient.

The maximum of int8 values is a ``max_pool`` like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ..graph import Spec
from ..integer.pooling import average_pool
from ..integer.reduction import averaging, mean
from ..integer.requantise import Requantise, clamp
from ..integer.rules import activation, checked, one_scale, quants, result
from ..op import Arrays, Attrs, Cost, Op, register
from ..rules import arity, attr, ints, rank, require
from .pooling import check_windows, elements_seen, pooled

# int8_average_pool(x){windows_h, windows_w, quants, activation}: scale and zero point stay; as many are divided by as
# a window sees


def _pool_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    op = "int8_average_pool"
    arity(op, specs, 1)
    rank(op, "x", specs[0], 4)
    check_windows(op, attrs, specs[0].shape)
    x = one_scale(op, "x quant", quants(op, specs, attrs, ("x",))[0])
    checked(op, clamp, x, activation(op, attrs))
    return (Spec(pooled(attrs, specs[0].shape), "int8", x),)


def _pool(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    low, high = clamp(attrs["quants"][0], attrs["activation"])
    return (average_pool(arrays[0], attrs["windows_h"], attrs["windows_w"], low=low, high=high),)


def _pool_cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    return Cost(ops=elements_seen(ins[0].shape, attrs))


register(Op("int8_average_pool", _pool_infer, _pool, None, _pool_cost))


# int8_mean(x){axes, keepdims, quants, quant}


def mean_requantise(attrs: Attrs, count: int) -> Requantise:
    """From sums of ``count`` values to int8."""
    return averaging(attrs["quants"][0], attrs["quant"], count)


def _mean_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    op = "int8_mean"
    arity(op, specs, 1)
    shape, axes = specs[0].shape, ints(op, attrs, "axes")
    require(axes == tuple(sorted(set(axes) & set(range(len(shape))))), op, "axes", axes, f"in order, of {shape}")
    one_scale(op, "x quant", quants(op, specs, attrs, ("x",))[0])
    y, keep = result(op, attrs), bool(attr(op, attrs, "keepdims"))
    count = prod(shape[a] for a in axes)
    require(count <= 2**23, op, "elements of a mean", count, "at most 2**23: their sum must fit in int32")
    checked(op, mean_requantise, attrs, count)
    kept = tuple(1 if a in axes else n for a, n in enumerate(shape) if keep or a not in axes)
    return (Spec(kept, "int8", y),)


def _mean(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    x, axes = arrays[0], attrs["axes"]
    by = mean_requantise(attrs, prod(x.shape[a] for a in axes))
    zero = attrs["quants"][0].zero_point[0]
    return (mean(x, axes=axes, keep=bool(attrs["keepdims"]), x_zero=zero, requantise=by),)


def _mean_cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    return Cost(ops=ins[0].size)


register(Op("int8_mean", _mean_infer, _mean, None, _mean_cost))
