"""Rules of the operators that compute without weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from selvedge.integer.convert import dequantise, quantise, rescale
from selvedge.integer.elementwise import add, addition, clamping, mul, product, relu
from selvedge.integer.pooling import average_pool, max_pool, windows_are_inside
from selvedge.integer.reduction import averaging, mean
from selvedge.integer.requantise import clamp, requantise
from selvedge.integer.softmax import MOST_CLASSES, scaling, softmax
from selvedge.integer.table import look_up, table

from .node import Bound, Node

# Rows and columns that a pool's window may be larger than its image by ("same" pads them).
MOST_BEYOND = 64


def _add(node: Node) -> Bound:
    a, b = node.input(0), node.input(1)
    shape = np.broadcast_shapes(a.shape, b.shape)
    by = addition(node.quant(a), node.quant(b), node.quant(node.y), node.activation())
    return Bound(partial(add, by=by), (node.place(0), node.place(1)), shape)


def _mul(node: Node) -> Bound:
    a, b = node.quant(node.input(0)), node.quant(node.input(1))
    shape = np.broadcast_shapes(node.input(0).shape, node.input(1).shape)
    by = product(a, b, node.quant(node.y), node.activation())
    run = partial(mul, a_zero=a.zero_point[0], b_zero=b.zero_point[0], requantise=by)
    return Bound(run, (node.place(0), node.place(1)), shape)


def _pool(pool: Callable[..., np.ndarray]) -> Callable[[Node], Bound]:
    def rule(node: Node) -> Bound:
        x = node.input(0)
        node.rank(x, 4)
        kernel, stride, extent = node.pair("kernel"), node.pair("stride"), (x.shape[1], x.shape[2])
        near = all(k <= n + MOST_BEYOND for k, n in zip(kernel, extent, strict=True))
        node.require(near, x, list(x.shape), f"a window of {kernel} is larger than it")
        padding = node.padding(extent, kernel, stride)
        inside = windows_are_inside(extent, kernel, stride, padding)
        node.require(inside, x, list(x.shape), f"every window of {kernel} by {stride} must see a pixel")
        node.require(
            node.quant(x) == node.quant(node.y), node.y, "scaled otherwise", "a pool keeps scale and zero point"
        )
        low, high = clamp(node.quant(node.y), node.activation())
        size = [(extent[a] + sum(padding[a]) - kernel[a]) // stride[a] + 1 for a in (0, 1)]
        run = partial(pool, kernel=kernel, stride=stride, padding=padding, low=low, high=high)
        return Bound(run, (node.place(0),), (x.shape[0], *size, x.shape[3]))

    return rule


def _softmax(node: Node) -> Bound:
    x, y = node.input(0), node.y
    node.require(bool(x.shape) and x.shape[-1] <= MOST_CLASSES, x, list(x.shape), f"up to {MOST_CLASSES} classes")
    result = node.quant(y)
    near = abs(result.scale[0] * 256 - 1) <= 1e-3 and result.zero_point[0] == -128
    node.require(near, y, f"scale {result.scale[0]}, zero point {result.zero_point[0]}", "they must be 1/256 and -128")
    beta = float(node.operator.options["beta"])  # type: ignore[arg-type]  # the schema's table says it is a number
    return Bound(partial(softmax, by=scaling(node.quant(x), beta)), (node.place(0),), x.shape)


def _table(function: str) -> Callable[[Node], Bound]:
    def rule(node: Node) -> Bound:
        x, y = node.quant(node.input(0)), node.quant(node.y)
        node.require(function != "logistic" or y.scale[0] == 1 / 256, node.y, f"scale {y.scale[0]}", "it must be 1/256")
        return Bound(partial(look_up, entries=table(function, x, y)), (node.place(0),), node.input(0).shape)

    return rule


def _relu(activation: str) -> Callable[[Node], Bound]:
    def rule(node: Node) -> Bound:
        x = node.quant(node.input(0))
        by = clamping(x, node.quant(node.y), activation)
        return Bound(partial(relu, x_zero=x.zero_point[0], requantise=by), (node.place(0),), node.input(0).shape)

    return rule


def _mean(node: Node) -> Bound:
    x, given = node.input(0), node.constant(node.input(1), "int32").reshape(-1).tolist()
    rank = len(x.shape)
    node.require(all(-rank <= a < rank for a in given), node.input(1), given, f"axes from {-rank} to {rank - 1}")
    axes, keep = tuple(sorted({a % rank for a in given})), bool(node.operator.options["keep_dims"])
    quant, count = node.quant(x), math.prod(x.shape[a] for a in axes)
    run = partial(
        mean, axes=axes, keep=keep, x_zero=quant.zero_point[0], requantise=averaging(quant, node.quant(node.y), count)
    )
    kept = [(1 if a in axes else n) for a, n in enumerate(x.shape) if keep or a not in axes]
    return Bound(run, (node.place(0),), tuple(kept))


def _quantise(node: Node) -> Bound:
    x, y = node.input(0), node.quant(node.y)
    if x.dtype == "float32":
        return Bound(partial(quantise, by=y), (node.place(0),), x.shape)
    quant = node.quant(x)
    by = requantise([quant.scale[0] / y.scale[0]], y)
    return Bound(partial(rescale, x_zero=quant.zero_point[0], requantise=by), (node.place(0),), x.shape)


def _dequantise(node: Node) -> Bound:
    return Bound(partial(dequantise, by=node.quant(node.input(0))), (node.place(0),), node.input(0).shape, "float32")


POINTWISE: dict[str, Callable[[Node], Bound]] = {
    "ADD": _add,
    "AVERAGE_POOL_2D": _pool(average_pool),
    "DEQUANTIZE": _dequantise,
    "LOGISTIC": _table("logistic"),
    "MAX_POOL_2D": _pool(max_pool),
    "MEAN": _mean,
    "MUL": _mul,
    "QUANTIZE": _quantise,
    "RELU": _relu("relu"),
    "RELU6": _relu("relu6"),
    "RELU_N1_TO_1": _relu("relu_n1_to_1"),
    "SOFTMAX": _softmax,
    "TANH": _table("tanh"),
}
