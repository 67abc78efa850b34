"""Small int8 networks whose kernels are timed: convolution, depthwise, linear, with weights packed for vectors and as
they lie, what goes number by number, and pooling. They predict and do not learn.

Each begins at real numbers and ends there, as a network within a float one does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ir
from ..ir import Quant, Value

X, W, UNLIKE, Y = Quant((0.00390625,), (-128,)), Quant((0.015625,)), Quant((0.015625,), (7,)), Quant((0.0625,), (-9,))


def _codes(shape: tuple[int, ...], quant: Quant = W) -> Value:
    drawn = np.random.default_rng(0).integers(-127, 128, shape)
    return ir.constant(drawn.astype(np.int8), quant=quant)


def _bias(outs: int) -> Value:
    return ir.constant(np.arange(outs, dtype=np.int32) * 16)


def _begin(*shape: int) -> tuple[Value, Value]:
    """(the real input, the same in int8)."""
    real = ir.input_leaf("x", ir.Spec(shape))
    return real, ir.apply("quantise", real, quant=X)


def _graph(real: Value, *results: Value) -> ir.Graph:
    outputs = {
        f"output_{i}": ir.apply("dequantise", y, quants=(y.spec.quant,), dtype="float32") for i, y in enumerate(results)
    }
    return ir.Graph({"x": real}, {}, outputs)


def int8_conv(side: int, c: int, k: int, size: int, stride: int = 1, groups: int = 1) -> ir.Graph:
    real, x = _begin(1, side, side, c)
    attrs: dict[str, Any] = {
        "stride": (stride, stride),
        "padding": ((size // 2,) * 2,) * 2,
        "dilation": (1, 1),
        "groups": groups,
        "quants": (X, W),
        "quant": Y,
        "activation": "relu",
    }
    return _graph(real, ir.apply("int8_conv2d", x, _codes((size, size, c // groups, k)), _bias(k), **attrs))


def int8_grouped(side: int, c: int, k: int, size: int) -> ir.Graph:
    """In two groups: the weights are read as they lie."""
    return int8_conv(side, c, k, size, groups=2)


def int8_depthwise(side: int, c: int, size: int, stride: int = 1) -> ir.Graph:
    return int8_conv(side, c, c, size, stride, groups=c)


def int8_linear(rows: int, c: int, k: int, unlike: int = 0) -> ir.Graph:
    """unlike: the weights have a zero point, and are read as they lie."""
    real, x = _begin(rows, c)
    weights = _codes((k, c), UNLIKE if unlike else W)
    quants = (X, weights.spec.quant)
    return _graph(real, ir.apply("int8_linear", x, weights, _bias(k), quants=quants, quant=Y, activation="none"))


def int8_elements(side: int, c: int) -> ir.Graph:
    """Sums, products, tables and rows taken twice."""
    real, x = _begin(1, side, side, c)
    y = ir.apply("int8_relu", x, quants=(X,), quant=Y, activation="relu")
    total = ir.apply("int8_add", x, y, quants=(X, Y), quant=Y, activation="relu")
    product = ir.apply("int8_mul", total, y, quants=(Y, Y), quant=Y, activation="none")
    twice = tuple(i // 2 for i in range(2 * side))
    return _graph(real, ir.apply("nearest", product, rows=twice, columns=twice))


def int8_pools(side: int, c: int, size: int) -> ir.Graph:
    """Averages and maxima of windows, the mean of an image, and classes."""
    real, x = _begin(1, side, side, c)
    w = tuple((i * size, (i + 1) * size, 1) for i in range(side // size))
    average = ir.apply("int8_average_pool", x, windows_h=w, windows_w=w, quants=(X,), activation="none")
    most = ir.apply("max_pool", x, windows_h=w, windows_w=w)
    mean = ir.apply("int8_mean", x, axes=(1, 2), keepdims=False, quants=(X,), quant=Y)
    classes = ir.apply("int8_softmax", ir.reshape(x, (side * side, c)), beta=1.0, quants=(X,))
    return _graph(real, average, most, mean, classes)
