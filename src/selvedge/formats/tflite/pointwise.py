"""Rules of the operators that compute without weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from selvedge.ir import apply, constant
from selvedge.ir.graph import Value
from selvedge.ir.integer.softmax import MOST_CLASSES
from selvedge.ir.integer.table import table

from .geometry import seen
from .node import Node

# Rows and columns that a pool's window may be larger than its image by ("same" pads them).
MOST_BEYOND = 64


def _two(op: str) -> Callable[[Node], Value]:
    def rule(node: Node) -> Value:
        quants = node.quant(node.input(0)), node.quant(node.input(1))
        attrs = {"quants": quants, "quant": node.quant(node.y), "activation": node.activation()}
        return apply(op, node.value(0), node.value(1), where=node.where, **attrs)

    return rule


def _windows(node: Node) -> dict[str, Any]:
    """What each window of a pool sees of the image."""
    x = node.input(0)
    node.rank(x, 4)
    kernel, stride, extent = node.pair("kernel"), node.pair("stride"), (x.shape[1], x.shape[2])
    near = all(k <= n + MOST_BEYOND for k, n in zip(kernel, extent, strict=True))
    node.require(near, x, list(x.shape), f"a window of {kernel} is larger than it")
    padding = node.padding(extent, kernel, stride)
    inside_of = [seen(extent[a], kernel[a], stride[a], padding[a]) for a in (0, 1)]
    inside = all(windows and all(start < stop for start, stop, _ in windows) for windows in inside_of)
    node.require(inside, x, list(x.shape), f"every window of {kernel} by {stride} must see a pixel")
    node.require(node.quant(x) == node.quant(node.y), node.y, "scaled otherwise", "a pool keeps scale and zero point")
    return {"windows_h": inside_of[0], "windows_w": inside_of[1]}


def _average_pool(node: Node) -> Value:
    windows, x = _windows(node), node.quant(node.input(0))
    return apply(
        "int8_average_pool", node.value(0), quants=(x,), activation=node.activation(), where=node.where, **windows
    )


def _max_pool(node: Node) -> Value:
    largest = apply("max_pool", node.value(0), where=node.where, **_windows(node))
    if node.activation() == "none":
        return largest
    x = node.quant(node.input(0))
    return apply("int8_relu", largest, quants=(x,), quant=x, activation=node.activation(), where=node.where)


def _softmax(node: Node) -> Value:
    x, y = node.input(0), node.y
    node.require(bool(x.shape) and x.shape[-1] <= MOST_CLASSES, x, list(x.shape), f"up to {MOST_CLASSES} classes")
    result = node.quant(y)
    near = abs(result.scale[0] * 256 - 1) <= 1e-3 and result.zero_point[0] == -128
    node.require(near, y, f"scale {result.scale[0]}, zero point {result.zero_point[0]}", "they must be 1/256 and -128")
    beta = float(node.operator.options["beta"])  # type: ignore[arg-type]  # the schema's table says it is a number
    attrs = {"beta": beta, "quants": (node.quant(x),), "quant": result}
    return apply("int8_softmax", node.value(0), where=node.where, **attrs)


def _table(function: str) -> Callable[[Node], Value]:
    def rule(node: Node) -> Value:
        x, y = node.quant(node.input(0)), node.quant(node.y)
        node.require(function != "logistic" or y.scale[0] == 1 / 256, node.y, f"scale {y.scale[0]}", "it must be 1/256")
        entries = constant(table(function, x, y))
        return apply("int8_table", node.value(0), entries, quants=(x,), quant=y, where=node.where)

    return rule


def _relu(activation: str) -> Callable[[Node], Value]:
    def rule(node: Node) -> Value:
        attrs = {"quants": (node.quant(node.input(0)),), "quant": node.quant(node.y), "activation": activation}
        return apply("int8_relu", node.value(0), where=node.where, **attrs)

    return rule


def _mean(node: Node) -> Value:
    x, given = node.input(0), node.constant(node.input(1), "int32").reshape(-1).tolist()
    rank = len(x.shape)
    node.require(all(-rank <= a < rank for a in given), node.input(1), given, f"axes from {-rank} to {rank - 1}")
    axes, keep = tuple(sorted({a % rank for a in given})), bool(node.operator.options["keep_dims"])
    attrs = {"axes": axes, "keepdims": keep, "quants": (node.quant(x),), "quant": node.quant(node.y)}
    return apply("int8_mean", node.value(0), where=node.where, **attrs)


def _quantise(node: Node) -> Value:
    x, y = node.input(0), node.quant(node.y)
    if x.dtype == "float32":
        return apply("quantise", node.value(0), quant=y, where=node.where)
    return apply("requantise", node.value(0), quants=(node.quant(x),), quant=y, where=node.where)


def _dequantise(node: Node) -> Value:
    quant = node.quant(node.input(0))
    return apply("dequantise", node.value(0), quants=(quant,), dtype="float32", where=node.where)


POINTWISE: dict[str, Callable[[Node], Value]] = {
    "ADD": _two("int8_add"),
    "AVERAGE_POOL_2D": _average_pool,
    "DEQUANTIZE": _dequantise,
    "LOGISTIC": _table("logistic"),
    "MAX_POOL_2D": _max_pool,
    "MEAN": _mean,
    "MUL": _two("int8_mul"),
    "QUANTIZE": _quantise,
    "RELU": _relu("relu"),
    "RELU6": _relu("relu6"),
    "RELU_N1_TO_1": _relu("relu_n1_to_1"),
    "SOFTMAX": _softmax,
    "TANH": _table("tanh"),
}
