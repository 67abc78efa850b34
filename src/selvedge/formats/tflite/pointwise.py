"""Rules of the operators that compute without weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from selvedge.ir import apply, constant
from selvedge.ir.graph import Value
from selvedge.ir.integer.softmax import MOST_CLASSES
from selvedge.ir.integer.table import table

from ..windows import Sliding
from ..windows import windows as sliding_windows
from .node import MOST_BEYOND, Node


def _two(op: str) -> Callable[[Node], Value]:
    def rule(node: Node) -> Value:
        quants = node.quant(node.input(0)), node.quant(node.input(1))
        attrs = {"quants": quants, "quant": node.quant(node.y), "activation": node.activation()}
        return apply(op, node.value(0), node.value(1), where=node.where, **attrs)

    return rule


def windows(node: Node) -> dict[str, Any]:
    """What each window of a pool sees of the image."""
    x = node.input(0)
    node.rank(x, 4)
    kernel, stride, extent = node.pair("kernel"), node.pair("stride"), (x.shape[1], x.shape[2])
    near = all(k <= n + MOST_BEYOND for k, n in zip(kernel, extent, strict=True))
    node.require(near, x, list(x.shape), f"a window of {kernel} is larger than it")
    padding = node.padding(extent, kernel, stride)
    seen = []
    for a in (0, 1):
        by = Sliding(kernel[a], stride[a], 1, *padding[a])
        seen.append(sliding_windows(by, extent[a], by.count(extent[a])))
    inside = all(each and all(start < stop for start, stop, _ in each) for each in seen)
    node.require(inside, x, list(x.shape), f"every window of {kernel} by {stride} must see a pixel")
    if x.dtype != "float32":
        kept = node.quant(x) == node.quant(node.y)
        node.require(kept, node.y, "scaled otherwise", "a pool keeps scale and zero point")
    return {"windows_h": seen[0], "windows_w": seen[1]}


def _average_pool(node: Node) -> Value:
    x = node.quant(node.input(0))
    attrs = {**windows(node), "quants": (x,), "activation": node.activation()}
    return apply("int8_average_pool", node.value(0), where=node.where, **attrs)


def _max_pool(node: Node) -> Value:
    largest = apply("max_pool", node.value(0), where=node.where, **windows(node))
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
    beta = node.real("beta")
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


def axes_of(node: Node) -> dict[str, Any]:
    """Over which axes a mean is."""
    given = node.constant(node.input(1), "int32").reshape(-1).tolist()
    rank = len(node.input(0).shape)
    node.require(all(-rank <= a < rank for a in given), node.input(1), given, f"axes from {-rank} to {rank - 1}")
    axes = tuple(sorted({a % rank for a in given}))
    return {"axes": axes, "keepdims": bool(node.operator.options["keep_dims"])}


def _mean(node: Node) -> Value:
    x = node.input(0)
    attrs = {**axes_of(node), "quants": (node.quant(x),), "quant": node.quant(node.y)}
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
