"""Convolutions and linear layers, with the bias that is added behind them."""

from __future__ import annotations

import numpy as np

from ..build import constant, reshape
from ..graph import Node, Value
from ..integer.bound import fits_int32
from ..integer.fixed_point import INT32_MAX, INT32_MIN
from ..op import apply
from ..ops.convolution import GEOMETRY
from ..ops.integer_convolution import sums
from ..quant import Quant
from .fixed import Fixed, fixed
from .rule import Join

# A bias of int32 whose scale is this near to input x weight is added as it is: that product, rounded to float32.
NEAR = 1e-6


def convolution(join: Join, node: Node, y: Quant, activation: str, bias: Fixed | None = None) -> Value | None:
    """conv2d with a constant weight, symmetric."""
    x, w = join.integer(node.inputs[0]), fixed(node.inputs[1])
    quant = None if w is None or w.steps.dtype != np.int8 else w.quant(3)
    if x is None or w is None or quant is None or not quant.is_symmetric:
        return None
    attrs = {name: node.attrs[name] for name in GEOMETRY}
    return _layer("int8_conv2d", x, w.steps, quant, bias, y, activation, node.where, **attrs)


def linear(join: Join, node: Node, y: Quant, activation: str, bias: Fixed | None = None) -> Value | None:
    """matmul of rows [N, I] with a constant matrix, whichever way it lies."""
    x, w = join.integer(node.inputs[0]), fixed(node.inputs[1])
    if x is None or w is None or w.steps.dtype != np.int8 or len(x.shape) != 2 or len(w.steps.shape) != 2:
        return None
    if node.attrs["trans_a"]:
        return None
    quant = w.quant(0 if node.attrs["trans_b"] else 1)
    if quant is None or not (quant.is_symmetric or quant.axis is None):
        return None
    matrix = w.steps if node.attrs["trans_b"] else w.steps.T
    rows = Quant(quant.scale, quant.zero_point, None if quant.axis is None else 0)
    return _layer("int8_linear", x, matrix, rows, bias, y, activation, node.where)


LAYERS = {"conv2d": convolution, "matmul": linear}


def biased(join: Join, node: Node, y: Quant, activation: str) -> Value | None:
    """An ``add`` of a layer and a constant that is its bias."""
    for layer, bias in (node.inputs, node.inputs[::-1]):
        source = _unshaped(layer)
        known = fixed(bias) if source.node.op in LAYERS and layer.shape == node.specs[0].shape else None
        if known is None:
            continue
        made = LAYERS[source.node.op](join, source.node, y, activation, known)
        return None if made is None else reshape(made, layer.shape, node.where)
    return None


def _unshaped(value: Value) -> Value:
    """``value`` before what changes its shape and leaves its last axis."""
    while value.node.op == "reshape" and value.shape[-1:] == value.node.inputs[0].shape[-1:]:
        value = value.node.inputs[0]
    return value


def _layer(
    op: str, x: Value, w: np.ndarray, quant: Quant, bias: Fixed | None, y: Quant, activation: str, where: str,
    **geometry: object,
) -> Value | None:  # fmt: skip
    """None where its bias or its accumulators do not fit in int32."""
    outs = w.shape[3] if op == "int8_conv2d" else w.shape[0]
    given = x.spec.quant
    assert given is not None
    rest: tuple[Value, ...] = ()
    if bias is not None:
        whole = _bias(bias, given.scale[0] * np.array(quant.scale), outs)
        if whole is None:
            return None
        rest = (constant(whole),)
    attrs = {**geometry, "quants": (given, quant), "quant": y, "activation": activation}
    made = apply(op, x, constant(w, quant=quant), *rest, where=where, **attrs)
    bound = sums(made.node)
    return made if bound is not None and fits_int32(bound) else None


def _bias(bias: Fixed, step: np.ndarray, outs: int) -> np.ndarray | None:
    """int32 [outs] at scale ``step``, which is input x weight; None where it differs along another axis, or is too
    large."""
    if bias.steps.size != 1 and (bias.steps.size != outs or bias.steps.shape[-1] != outs):
        return None
    whole = np.rint(bias.real.reshape(-1) / step)
    if bias.steps.dtype == np.int32 and _is_at(bias, step):
        whole = bias.steps.reshape(-1).astype(np.float64)
    if not (np.isfinite(whole).all() and whole.min() >= INT32_MIN and whole.max() <= INT32_MAX):
        return None
    return np.broadcast_to(whole.reshape(-1), (outs,)).astype(np.int32)


def _is_at(bias: Fixed, step: np.ndarray) -> bool:
    """Whether its steps are those of input x weight."""
    scale = None if bias.zero.any() else bias.scale
    return scale is not None and np.allclose(scale.reshape(-1), step, rtol=NEAR, atol=0)
