"""Operators with weights, as float rows; the bias is added behind."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from selvedge.ir import Value, apply, broadcast, constant, reshape, transpose

from .images import finished, image, wide
from .read_pools import amounts
from .reading import Node, settled


def _conv(node: Node) -> None:
    node.count(2, 3)
    x, w = node.shape(0), node.shape(1)
    _images(node)
    kernel = w[2:]
    node.require(node.integers("kernel_shape", kernel) == kernel, "kernel_shape", kernel, "that of its weights")
    geometry, spans = _geometry(node, kernel)
    before, after = amounts(node, wide(x[2:]), spans, geometry["stride"])
    geometry["padding"] = ((before[0], after[0]), (before[1], after[1]))
    made = apply("conv2d", image(node, 0), _hwio(node), where=node.where, **geometry)
    finished(node, _biased(node, made), len(x))


def _conv_transpose(node: Node) -> None:
    """The gradient of a convolution whose result is its input: weights [C, M / groups, ...] are that one's."""
    node.count(2, 3)
    x, w = node.shape(0), node.shape(1)
    _images(node)
    rank = len(x) - 2
    kernel = w[2:]
    node.require(node.integers("kernel_shape", kernel) == kernel, "kernel_shape", kernel, "that of its weights")
    geometry, spans = _geometry(node, kernel)
    more = wide(node.integers("output_padding", (0,) * rank), 0)
    extents, stride = wide(x[2:]), geometry["stride"]
    whole = [stride[a] * (extents[a] - 1) + spans[a] + more[a] for a in (0, 1)]
    asked = node.operator.attrs.get("output_shape")
    way = node.text("auto_pad", "NOTSET")
    if asked is not None or way in ("SAME_UPPER", "SAME_LOWER"):
        if asked is not None:
            sizes = wide(node.integers("output_shape", (1,) * rank, 1))
        else:
            sizes = (extents[0] * stride[0], extents[1] * stride[1])
        # What is left over is cut off in halves; the larger one before, but for SAME_UPPER.
        total = [max(0, whole[a] - sizes[a]) for a in (0, 1)]
        less, rest = [t // 2 for t in total], [t - t // 2 for t in total]
        before, after = (less, rest) if way == "SAME_UPPER" else (rest, less)
        more = tuple(more[a] + max(0, sizes[a] - whole[a]) for a in (0, 1))
    else:
        first, last = amounts(node, extents, spans, stride)
        before, after = list(first), list(last)
        sizes = tuple(whole[a] - before[a] - after[a] for a in (0, 1))
    node.require(all(n >= 1 for n in sizes), "output", sizes, "at least one row and column")
    for a in (0, 1):
        if not 0 <= more[a] < max(stride[a], 2) or (more[a] and more[a] >= stride[a]):
            node.unsupported(f"ConvTranspose with output_padding {more}", "give less than the stride")
    geometry["padding"] = ((before[0], after[0]), (before[1], after[1]))
    shape = (x[0], *sizes, w[1] * geometry["groups"])
    made = apply("conv2d_input_grad", image(node, 0), _hwio(node), input_shape=shape, where=node.where, **geometry)
    finished(node, _biased(node, made), len(x))


def _images(node: Node) -> None:
    for i, what in ((0, ""), (1, "weights of ")):
        if len(node.shape(i)) not in (3, 4) or len(node.shape(i)) != len(node.shape(0)):
            told = f"{what}{len(node.shape(i))} axes"
            node.unsupported(f"{node.operator.said} of {told}", "one or two axes beside samples and channels")


def _geometry(node: Node, kernel: tuple[int, ...]) -> tuple[dict[str, Any], list[int]]:
    """Stride, dilation and groups; elements from the first tap to the last."""
    ones = (1,) * len(kernel)
    stride, dilation = (wide(node.integers(name, ones, 1)) for name in ("strides", "dilations"))
    taps = wide(kernel)
    spans = [(taps[a] - 1) * dilation[a] + 1 for a in (0, 1)]
    return {"stride": stride, "dilation": dilation, "groups": node.integer("group", 1)}, spans


def _hwio(node: Node) -> Value:
    shape = node.shape(1)
    w = node.value(1)
    if len(shape) == 3:
        w = settled(reshape(w, (*shape[:2], 1, shape[2]), node.where))
    return settled(transpose(w, (2, 3, 1, 0), node.where))


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
    """Of rows with a matrix, or of as many matrices: leading axes broadcast, and a vector is a row or a column."""
    node.count(2)
    a, b = node.shape(0), node.shape(1)
    node.require(bool(a and b), "shapes", (a, b), "at least vectors")
    if not (node.value(0).spec.is_float and node.value(1).spec.is_float):
        node.unsupported(f"{node.operator.said} of {node.value(0).dtype}", "give it float32")
    left = node.value(0) if len(a) > 1 else reshape(node.value(0), (1, *a), node.where)
    right = node.value(1) if len(b) > 1 else reshape(node.value(1), (*b, 1), node.where)
    rows, columns = left.shape[-2], right.shape[-1]
    if len(right.shape) == 2:
        lead = left.shape[:-2]
        flat = reshape(left, (math.prod(left.shape[:-1]), left.shape[-1]), node.where)
        made = apply("matmul", flat, right, trans_a=False, trans_b=False, where=node.where)
    else:
        try:
            lead = tuple(np.broadcast_shapes(left.shape[:-2], right.shape[:-2]))
        except ValueError:
            node.refuse("shapes", (a, b), "their leading axes must broadcast")
        sides = [broadcast(v, (*lead, *v.shape[-2:]), node.where) for v in (left, right)]
        made = apply("matmul", *sides, trans_a=False, trans_b=False, where=node.where)
    shape = (*lead, *((rows,) if len(a) > 1 else ()), *((columns,) if len(b) > 1 else ()))
    node.put(reshape(made, shape, node.where))


def _batch_norm(node: Node) -> None:
    """(x - mean) / sqrt(var + epsilon) * scale + shift as one product and one sum, both made in float64 where what they
    are made of is constant."""
    node.count(5)
    if node.integer("training_mode", 0):
        node.unsupported("BatchNormalization in training mode", "export the model in eval mode")
    x = node.shape(0)
    node.require(len(x) >= 2, "shape", x, "[N, C, ...]")
    alike = all(node.shape(i) == (x[1],) for i in (1, 2, 3, 4))
    node.require(alike, "statistics", [node.shape(i) for i in (1, 2, 3, 4)], f"each [{x[1]}]")
    last, epsilon = len(x) == 4, node.number("epsilon", 1e-5)
    factor, rest = _statistics(node, epsilon)
    wide = (x[1],) if last else (x[1], *(1,) * (len(x) - 2))
    made = apply("mul", node.value(0, last), settled(reshape(factor, wide)), where=node.where)
    node.put(apply("add", made, settled(reshape(rest, wide)), where=node.where), last)


def _statistics(node: Node, epsilon: float) -> tuple[Value, Value]:
    """What every channel is multiplied by, and what is added."""
    given = [node.value(i) for i in (1, 2, 3, 4)]
    if any(v.node.op != "constant" for v in given):
        scale, shift, mean, variance = given
        deviation = apply("rsqrt", apply("add", variance, constant(epsilon, "float32")), where=node.where)
        by = apply("mul", scale, deviation, where=node.where)
        return by, apply("sub", shift, apply("mul", mean, by), where=node.where)
    scales, shifts, means, variances = (node.array(i).astype(np.float64) for i in (1, 2, 3, 4))
    node.require(bool((variances >= 0).all()), "variance", float(variances.min()), "it must be >= 0")
    factor = scales / np.sqrt(variances + epsilon)
    rest = shifts - means * factor
    node.require(bool(np.isfinite(factor).all() and np.isfinite(rest).all()), "statistics", "not finite", "repair them")
    return constant(factor.astype(np.float32)), constant(rest.astype(np.float32))


LAYERS: dict[str, Callable[[Node], None]] = {
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
}
