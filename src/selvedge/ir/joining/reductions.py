"""Means, average pools and softmax."""

from __future__ import annotations

import math

import numpy as np

from ..build import reshape
from ..graph import Node, Value
from ..op import apply
from ..ops.integer_softmax import RESULT
from ..quant import Quant
from .fixed import fixed
from .rule import Join, requantised

NEAR = 1e-5  # of one over the count, which is rounded to the graph's float


def mean(join: Join, node: Node, y: Quant, activation: str) -> Value | None:
    """A ``mul`` of a sum over axes and one over their count."""
    for total, share in (node.inputs, node.inputs[::-1]):
        known, source = fixed(share), _summed(total)
        if known is None or known.steps.size != 1 or source is None or total.shape != node.specs[0].shape:
            continue
        x, axes = source
        count = math.prod(x.shape[a] for a in axes)
        if not np.isclose(float(known.real.reshape(())) * count, 1, rtol=NEAR, atol=0):
            continue
        given = join.integer(x)
        if given is None:
            return None
        attrs = {"axes": axes, "keepdims": False, "quants": (given.spec.quant,), "quant": y}
        made = reshape(apply("int8_mean", given, where=node.where, **attrs), total.shape, node.where)
        return made if activation == "none" else requantised(made, y, activation, node.where)
    return None


def _summed(value: Value) -> tuple[Value, tuple[int, ...]] | None:
    """(x, axes) where ``value`` holds the sums of x over them, in whatever shape."""
    while value.node.op == "reshape":
        value = value.node.inputs[0]
    node = value.node
    if node.op != "reduce_sum":
        return None
    x, axes = node.inputs[0], set(node.attrs["axes"])
    # Axes that do not lie side by side are summed one run after the other, each kept as an axis of one element.
    while x.node.op == "reduce_sum" and x.node.attrs["keepdims"]:
        x, axes = x.node.inputs[0], axes | set(x.node.attrs["axes"])
    return x, tuple(sorted(axes))


def average_pool(join: Join, node: Node, y: Quant, activation: str) -> Value | None:
    """Windows divided by as many as they see: LiteRT's average counts no padding."""
    windows = {name: node.attrs[name] for name in ("windows_h", "windows_w")}
    for name, counts in (("windows_h", "counts_h"), ("windows_w", "counts_w")):
        if any(len(range(*w)) != n for w, n in zip(windows[name], node.attrs[counts], strict=True)):
            return None
    x = join.integer(node.inputs[0])
    if x is None:
        return None
    quants = (x.spec.quant,)
    made = apply("int8_average_pool", x, **windows, quants=quants, activation=activation, where=node.where)
    return requantised(made, y, where=node.where)


def softmax(join: Join, node: Node, y: Quant, activation: str) -> Value | None:
    """Over the last axis; its own result has scale 1/256."""
    x = join.integer(node.inputs[0])
    if x is None:
        return None
    near = abs(y.scale[0] * 256 - 1) <= 1e-3 and y.zero_point[0] == -128
    result = y if near else RESULT
    made = apply("int8_softmax", x, beta=1.0, quants=(x.spec.quant,), quant=result, where=node.where)
    return requantised(made, y, activation, node.where)
