"""Rules of the operators with weights: int8 by int8 into int32."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from selvedge.integer.bound import accumulator_bound
from selvedge.integer.convolution import conv2d
from selvedge.integer.fixed_point import INT32_MAX, INT32_MIN
from selvedge.integer.linear import linear
from selvedge.integer.quant import Quant
from selvedge.integer.requantise import RequantiseFloat64, clamp, product_scales, requantise
from selvedge.ir.graph import Spec
from selvedge.ir.op import TABLE

from .model import Tensor
from .node import Bound, Node

MOST_APART = 0.02  # steps of the result


def _conv(node: Node) -> Bound:
    x, w = node.input(0), node.input(1)
    node.rank(x, 4)
    node.rank(w, 4)
    per_group = w.shape[3]
    node.require(x.shape[3] % per_group == 0, w, list(w.shape), f"its last extent must divide {x.shape[3]} channels")
    return _convolution(node, node.constant(w, "int8").transpose(1, 2, 3, 0), x.shape[3] // per_group, axis=0)


def _depthwise(node: Node) -> Bound:
    x, w = node.input(0), node.input(1)
    node.rank(x, 4)
    node.rank(w, 4)
    outs, channels = w.shape[3], x.shape[3]
    node.require(w.shape[0] == 1 and outs % channels == 0, w, list(w.shape), f"[1, h, w, a multiple of {channels}]")
    said = node.whole("depth_multiplier")
    node.require(said in (0, outs // channels), w, f"depth_multiplier {said}", f"it is {outs // channels}")
    return _convolution(node, node.constant(w, "int8").transpose(1, 2, 0, 3), channels, axis=3)


def _convolution(node: Node, weights: np.ndarray, groups: int, axis: int) -> Bound:
    """weights: HWIO."""
    x, w = node.input(0), node.input(1)
    kernel, stride, dilation = (weights.shape[0], weights.shape[1]), node.pair("stride"), node.pair("dilation")
    # A damaged dilation would ask for padding without end.
    near = all(d <= max(1, n) for d, n in zip(dilation, x.shape[1:3], strict=True))
    node.require(near, x, list(x.shape), f"a dilation of {dilation} reaches beyond it")
    geometry: dict[str, Any] = {
        "stride": stride,
        "dilation": dilation,
        "padding": node.padding((x.shape[1], x.shape[2]), kernel, stride, dilation),
        "groups": groups,
    }
    # The float row's own rule checks that kernel and groups fit.
    (made,) = TABLE["conv2d"].infer([Spec(x.shape), Spec(weights.shape)], geometry)
    quant, result = node.quant(x), node.quant(node.y)
    scales = product_scales(quant, _weight_quant(node, w, axis), result)
    bias = _bias(node, weights.shape[3])
    _fits(node, accumulator_bound(weights.reshape(-1, weights.shape[3]), bias, quant.zero_point[0]))
    by = requantise(scales, result, node.activation())
    run = partial(conv2d, w=weights, bias=bias, x_zero=quant.zero_point[0], requantise=by, **geometry)
    return Bound(run, (node.place(0),), made.shape)


def _linear(node: Node) -> Bound:
    x, w, y = node.input(0), node.input(1), node.y
    node.rank(w, 2)
    outs, ins = w.shape
    node.require(node.operator.options["weights_format"] == "default", w, "shuffled", "export the default format")
    node.require(math.prod(x.shape) % ins == 0, x, list(x.shape), f"it must be rows of {ins}")
    rows: tuple[int, ...] = (math.prod(x.shape) // ins,)
    if node.operator.options["keep_dims"]:
        node.require(bool(x.shape) and x.shape[-1] == ins, x, list(x.shape), f"its last extent must be {ins}")
        rows = x.shape[:-1]
    quant, result, weights = node.quant(x), node.quant(y), _weight_quant(node, w, 0, symmetric=False)
    scales = tuple(product_scales(quant, weights, result))
    bias = node.optional(2)
    if bias is not None and bias.quant is not None and weights.axis is None:
        # As GetQuantizedConvolutionMultipler: a bias of another scale would mean something else.
        apart = abs(quant.scale[0] * weights.scale[0] - bias.quant.scale[0]) / result.scale[0]
        node.require(apart <= MOST_APART, bias, f"scale {bias.quant.scale[0]}", "it must be input's x weights'")
    matrix, added = node.constant(w, "int8"), _bias(node, outs)
    x_zero, w_zero = quant.zero_point[0], weights.zero_point[0]
    _fits(node, accumulator_bound(matrix.T, added, x_zero, w_zero))
    fixed = partial(
        linear,
        w=matrix,
        bias=added,
        x_zero=x_zero,
        w_zero=w_zero,
        requantise=RequantiseFloat64(scales, result.zero_point[0], *clamp(result, node.activation())),
    )
    shape = (*rows, outs)
    return Bound(lambda a: fixed(a.reshape(*rows, ins)), (node.place(0),), shape)


def _weight_quant(node: Node, w: Tensor, axis: int, symmetric: bool = True) -> Quant:
    if w.quant is None:
        node.refuse(w, "without a scale", "int8 weights have one scale, or one an output channel")
    node.require(w.quant.axis in (None, axis), w, f"axis {w.quant.axis}", f"the scales must be along axis {axis}")
    if symmetric or w.quant.axis is not None:
        node.require(w.quant.is_symmetric, w, "with a zero point", "the weights must be symmetric")
    return w.quant


def _fits(node: Node, bound: tuple[int, int]) -> None:
    least, most = bound
    told = f"sums from {least} to {most}"
    node.require(
        least >= INT32_MIN and most <= INT32_MAX, node.input(1), told, "they must fit in int32: split the layer"
    )


def _bias(node: Node, outs: int) -> np.ndarray | None:
    bias = node.optional(2)
    if bias is None:
        return None
    node.require(math.prod(bias.shape) == outs, bias, list(bias.shape), f"it must have {outs} elements")
    return node.constant(bias, "int32").reshape(outs)


LAYERS = {"CONV_2D": _conv, "DEPTHWISE_CONV_2D": _depthwise, "FULLY_CONNECTED": _linear}
