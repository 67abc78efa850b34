"""Operators with weights, as float rows; the bias is added behind."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from selvedge.ir import Value, apply, constant, reshape, transpose

from .read_pools import amounts
from .reading import Node, settled


def _conv(node: Node) -> None:
    node.count(2, 3)
    x, w = node.shape(0), node.shape(1)
    if len(x) != 4 or len(w) != 4:
        told = f"{len(x)} axes" if len(x) != 4 else f"weights of {len(w)} axes"
        node.unsupported(f"{node.operator.said} of {told}", "export images: two axes beside samples and channels")
    node.require(node.integers("kernel_shape", w[2:]) == w[2:], "kernel_shape", w[2:], "that of its weights")
    stride, dilation = node.integers("strides", (1, 1), 1), node.integers("dilations", (1, 1), 1)
    spans = [(w[2 + a] - 1) * dilation[a] + 1 for a in (0, 1)]
    before, after = amounts(node, x[2:], spans, stride)
    geometry = {
        "stride": stride,
        "dilation": dilation,
        "padding": ((before[0], after[0]), (before[1], after[1])),
        "groups": node.integer("group", 1),
    }
    weights = settled(transpose(node.value(1), (2, 3, 1, 0), node.where))
    made = apply("conv2d", node.value(0, True), weights, where=node.where, **geometry)
    node.put(_biased(node, made), True)


def _biased(node: Node, made: Value) -> Value:
    """``made`` with input 2, where there is one, on its last axis."""
    if not node.name(2):
        return made
    node.require(node.shape(2) == made.shape[-1:], "bias", node.shape(2), f"it must be {made.shape[-1:]}")
    return apply("add", made, node.value(2), where=node.where)


def _gemm(node: Node) -> None:
    """alpha * A' B' + beta * C."""
    node.count(2, 3)
    a, b = node.shape(0), node.shape(1)
    node.require(len(a) == len(b) == 2, "shapes", (a, b), "two matrices")
    turned = [bool(node.integer(name, 0)) for name in ("transA", "transB")]
    left = settled(transpose(node.value(0), (1, 0), node.where)) if turned[0] else node.value(0)
    made = apply("matmul", left, node.value(1), trans_a=False, trans_b=turned[1], where=node.where)
    made = _times(node, made, node.number("alpha", 1.0))
    if node.name(2):
        bias = _times(node, node.value(2), node.number("beta", 1.0))
        made = apply("add", made, bias, where=node.where)
    node.put(made)


def _times(node: Node, value: Value, factor: float) -> Value:
    if factor == 1:
        return value
    return settled(apply("mul", value, constant(factor, "float32"), where=node.where))


def _matmul(node: Node) -> None:
    """Of rows with a matrix, or of equally many matrices."""
    node.count(2)
    a, b = node.shape(0), node.shape(1)
    if len(a) < 2 or len(b) < 2 or (len(b) > 2 and a[:-2] != b[:-2]):
        node.unsupported(
            f"{node.operator.said} of {list(a)} and {list(b)}", "give it rows and a matrix, or as many matrices"
        )
    rows = node.value(0)
    if len(b) == 2 and len(a) > 2:
        rows = reshape(rows, (math.prod(a[:-1]), a[-1]), node.where)
    made = apply("matmul", rows, node.value(1), trans_a=False, trans_b=False, where=node.where)
    node.put(reshape(made, (*a[:-1], b[-1]), node.where))


def _batch_norm(node: Node) -> None:
    """(x - mean) / sqrt(var + epsilon) * scale + shift as one product and one sum, both made in float64."""
    node.count(5)
    if node.integer("training_mode", 0):
        node.unsupported("BatchNormalization in training mode", "export the model in eval mode")
    x = node.shape(0)
    node.require(len(x) in (2, 4), "shape", x, "[N, C] or [N, C, H, W]")
    scale, shift, mean, variance = (node.array(i).astype(np.float64) for i in (1, 2, 3, 4))
    alike = all(s.shape == (x[1],) for s in (scale, shift, mean, variance))
    node.require(alike, "statistics", [node.shape(i) for i in (1, 2, 3, 4)], f"each [{x[1]}]")
    node.require(bool((variance >= 0).all()), "variance", float(variance.min()), "it must be >= 0")
    factor = scale / np.sqrt(variance + node.number("epsilon", 1e-5))
    rest, last = shift - mean * factor, len(x) == 4
    node.require(bool(np.isfinite(factor).all() and np.isfinite(rest).all()), "statistics", "not finite", "repair them")
    made = apply("mul", node.value(0, last), constant(factor.astype(np.float32)), where=node.where)
    node.put(apply("add", made, constant(rest.astype(np.float32)), where=node.where), last)


LAYERS: dict[str, Callable[[Node], None]] = {
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _matmul,
}
