"""Rules of the operators with weights: int8 by int8 into int32."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from selvedge.ir import apply, reshape
from selvedge.ir.graph import Value
from selvedge.ir.integer.bound import fits_int32
from selvedge.ir.ops.integer_convolution import sums
from selvedge.ir.quant import Quant, permuted

from .model import Tensor
from .node import Node

MOST_APART = 0.02  # steps of the result


def _conv(node: Node) -> Value:
    x, w = node.input(0), node.input(1)
    node.rank(x, 4)
    node.rank(w, 4)
    per_group = w.shape[3]
    node.require(x.shape[3] % per_group == 0, w, list(w.shape), f"its last extent must divide {x.shape[3]} channels")
    return _convolution(node, (1, 2, 3, 0), x.shape[3] // per_group, axis=0)


def _depthwise(node: Node) -> Value:
    x, w = node.input(0), node.input(1)
    node.rank(x, 4)
    node.rank(w, 4)
    outs, channels = w.shape[3], x.shape[3]
    node.require(w.shape[0] == 1 and outs % channels == 0, w, list(w.shape), f"[1, h, w, a multiple of {channels}]")
    said = node.whole("depth_multiplier")
    node.require(said in (0, outs // channels), w, f"depth_multiplier {said}", f"it is {outs // channels}")
    return _convolution(node, (1, 2, 0, 3), channels, axis=3)


def _convolution(node: Node, perm: tuple[int, ...], groups: int, axis: int) -> Value:
    """perm: from the file's weights to HWIO."""
    x, w = node.input(0), node.input(1)
    shape = tuple(w.shape[a] for a in perm)
    kernel, stride, dilation = (shape[0], shape[1]), node.pair("stride"), node.pair("dilation")
    # A damaged dilation would ask for padding without end.
    near = all(d <= max(1, n) for d, n in zip(dilation, x.shape[1:3], strict=True))
    node.require(near, x, list(x.shape), f"a dilation of {dilation} reaches beyond it")
    geometry: dict[str, Any] = {
        "stride": stride,
        "dilation": dilation,
        "padding": node.padding((x.shape[1], x.shape[2]), kernel, stride, dilation),
        "groups": groups,
    }
    quant = permuted(_weight_quant(node, w, axis), perm)
    attrs = {**geometry, "quants": (node.quant(x), quant), "quant": node.quant(node.y), "activation": node.activation()}
    weights = node.weight(w, "int8", perm, quant)
    return _fitting(
        node, apply("int8_conv2d", node.value(0), weights, *_bias(node, shape[3]), where=node.where, **attrs)
    )


def _linear(node: Node) -> Value:
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
    bias = node.optional(2)
    if bias is not None and bias.quant is not None and weights.axis is None:
        # As GetQuantizedConvolutionMultipler: a bias of another scale would mean something else.
        apart = abs(quant.scale[0] * weights.scale[0] - bias.quant.scale[0]) / result.scale[0]
        node.require(apart <= MOST_APART, bias, f"scale {bias.quant.scale[0]}", "it must be input's x weights'")
    matrix = node.weight(w, "int8", (0, 1), weights)
    attrs = {"quants": (quant, weights), "quant": result, "activation": node.activation()}
    given = reshape(node.value(0), (*rows, ins), node.where)
    return _fitting(node, apply("int8_linear", given, matrix, *_bias(node, outs), where=node.where, **attrs))


def _weight_quant(node: Node, w: Tensor, axis: int, symmetric: bool = True) -> Quant:
    if w.quant is None:
        node.refuse(w, "without a scale", "int8 weights have one scale, or one an output channel")
    node.require(w.quant.axis in (None, axis), w, f"axis {w.quant.axis}", f"the scales must be along axis {axis}")
    if symmetric or w.quant.axis is not None:
        node.require(w.quant.is_symmetric, w, "with a zero point", "the weights must be symmetric")
    return w.quant


def _fitting(node: Node, made: Value) -> Value:
    """``made``, whose accumulators are proven to fit."""
    bound = sums(made.node, node.weights.arrays)
    assert bound is not None  # its weights and its bias are known
    told = f"sums from {bound[0]} to {bound[1]}"
    node.require(fits_int32(bound), node.input(1), told, "they must fit in int32: split the layer")
    return made


def _bias(node: Node, outs: int) -> tuple[Value, ...]:
    bias = node.optional(2)
    if bias is None:
        return ()
    node.require(math.prod(bias.shape) == outs, bias, list(bias.shape), f"it must have {outs} elements")
    return (reshape(node.weight(bias, "int32", tuple(range(len(bias.shape))), None), (outs,), node.where),)


LAYERS: dict[str, Callable[[Node], Value]] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _linear,
}
