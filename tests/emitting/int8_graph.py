"""A small graph that makes the C target emit every int8 family, with its inputs."""

from __future__ import annotations

import numpy as np

from selvedge import ir
from selvedge.ir import Quant, Value

X, W, Y = Quant((0.5,), (-3,)), Quant((0.25,)), Quant((1.0,), (5,))
SHAPE = (2, 6, 6, 16)
GEOMETRY = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1)}


def int8_graph(dtype: str) -> tuple[ir.Graph, dict[str, np.ndarray]]:
    """Of every row an output, and what the graph is given."""
    r = np.random.default_rng(0)

    def codes(*shape: int) -> Value:
        return ir.constant(r.integers(-127, 128, shape).astype(np.int8), quant=W)

    def bias(outs: int) -> Value:
        return ir.constant(r.integers(-9999, 9999, outs).astype(np.int32))

    def conv(x: Value, w: Value, groups: int, y: Quant = Y) -> Value:
        attrs = {**GEOMETRY, "groups": groups, "quants": (x.spec.quant, W), "quant": y, "activation": "relu"}
        return ir.apply("int8_conv2d", x, w, bias(w.shape[3]), **attrs)

    def linear(x: Value, w: Value) -> Value:
        quants = (x.spec.quant, w.spec.quant)
        return ir.apply("int8_linear", x, w, quants=quants, quant=Y, activation="none")

    real = ir.input_leaf("x", ir.Spec(SHAPE, dtype))
    x = ir.apply("quantise", real, quant=X)
    windows = {"windows_h": ((0, 3, 1), (3, 6, 1)), "windows_w": ((0, 2, 1), (1, 6, 1))}
    two = {"quants": (X, X), "quant": Y, "activation": "relu6"}
    pooled = ir.apply("int8_average_pool", x, quants=(X,), activation="none", **windows)
    mean = ir.apply("int8_mean", x, axes=(1, 2), keepdims=True, quants=(X,), quant=X)
    flat = ir.reshape(x, (2, 576))
    unlike = ir.constant(r.integers(-127, 128, (3, 16)).astype(np.int8), quant=Quant((0.25,), (7,)))
    made = {
        "one": conv(x, codes(3, 3, 16, 12), 1),
        "left": conv(x, codes(3, 3, 16, 9), 1, Quant((0.0625,), (5,))),
        "groups": conv(x, codes(3, 3, 8, 6), 2),
        "depthwise": conv(x, codes(3, 3, 1, 16), 16),
        "linear": linear(flat, codes(10, 576)),
        "unlike": linear(ir.reshape(x, (72, 16)), unlike),
        "add": ir.apply("int8_add", x, mean, **two),
        "mul": ir.apply("int8_mul", x, mean, **two),
        "max": ir.apply("max_pool", x, **windows),
        "average": pooled,
        "relu": ir.apply("int8_relu", x, quants=(X,), quant=Y, activation="relu"),
        "softmax": ir.apply("int8_softmax", flat, beta=1.0, quants=(X,)),
        "nearest": ir.apply("nearest", pooled, rows=(0, 0, 1, 1), columns=(0, 1, 1)),
        "real": ir.apply("dequantise", x, quants=(X,), dtype=dtype),
    }
    graph = ir.Graph({"x": real}, {}, made)
    ir.verify(graph)
    return graph, {"x": r.normal(0, 30, SHAPE).astype(dtype)}
