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
from .node import MOST_BEYOND, Node

MOST_APART = 0.02  # steps of the result


CONV, DEPTHWISE = (1, 2, 3, 0), (1, 2, 0, 3)  # from the file's weights to HWIO


def groups(node: Node, perm: tuple[int, ...]) -> int:
    """How many groups of channels a convolution has whose weights come by ``perm`` to HWIO."""
    x, w = node.input(0), node.input(1)
    node.rank(x, 4)
    node.rank(w, 4)
    channels = x.shape[3]
    if perm == CONV:
        node.require(channels % w.shape[3] == 0, w, list(w.shape), f"its last extent must divide {channels} channels")
        return channels // w.shape[3]
    outs = w.shape[3]
    node.require(w.shape[0] == 1 and outs % channels == 0, w, list(w.shape), f"[1, h, w, a multiple of {channels}]")
    said = node.whole("depth_multiplier")
    node.require(said in (0, outs // channels), w, f"depth_multiplier {said}", f"it is {outs // channels}")
    return channels


def geometry(node: Node, perm: tuple[int, ...]) -> dict[str, Any]:
    """Stride, padding, dilation and groups of a convolution."""
    x, w = node.input(0), node.input(1)
    many = groups(node, perm)
    shape = tuple(w.shape[a] for a in perm)
    kernel, stride, dilation = (shape[0], shape[1]), node.pair("stride"), node.pair("dilation")
    # A damaged dilation would ask for padding without end; one tap has none.
    near = all(k == 1 or d <= n + MOST_BEYOND for k, d, n in zip(kernel, dilation, x.shape[1:3], strict=True))
    node.require(near, x, list(x.shape), f"a dilation of {dilation} reaches beyond it")
    return {
        "stride": stride,
        "dilation": dilation,
        "padding": node.padding((x.shape[1], x.shape[2]), kernel, stride, dilation),
        "groups": many,
    }


def _convolution(perm: tuple[int, ...], axis: int) -> Callable[[Node], Value]:
    """axis: of the file's weights, that of their scales."""

    def rule(node: Node) -> Value:
        x, w, shaping = node.input(0), node.input(1), geometry(node, perm)
        quant = permuted(_weight_quant(node, w, axis), perm)
        quants = node.quant(x), quant
        attrs = {**shaping, "quants": quants, "quant": node.quant(node.y), "activation": node.activation()}
        weights = node.weight(w, "int8", perm, quant)
        given = (node.value(0), weights, *bias(node, w.shape[axis], "int32"))
        return _fitting(node, apply("int8_conv2d", *given, where=node.where, **attrs))

    return rule


def rows(node: Node) -> tuple[int, ...]:
    """The leading axes of what a fully connected layer makes."""
    x, w = node.input(0), node.input(1)
    node.rank(w, 2)
    ins = w.shape[1]
    node.require(node.operator.options["weights_format"] == "default", w, "shuffled", "export the default format")
    node.require(math.prod(x.shape) % ins == 0, x, list(x.shape), f"it must be rows of {ins}")
    if not node.operator.options["keep_dims"]:
        return (math.prod(x.shape) // ins,)
    node.require(bool(x.shape) and x.shape[-1] == ins, x, list(x.shape), f"its last extent must be {ins}")
    return x.shape[:-1]


def _linear(node: Node) -> Value:
    x, w, y, leading = node.input(0), node.input(1), node.y, rows(node)
    outs, ins = w.shape
    quant, result, weights = node.quant(x), node.quant(y), _weight_quant(node, w, 0, symmetric=False)
    shift = node.optional(2)
    if shift is not None and shift.quant is not None and weights.axis is None:
        # As GetQuantizedConvolutionMultipler: a bias of another scale would mean something else.
        apart = abs(quant.scale[0] * weights.scale[0] - shift.quant.scale[0]) / result.scale[0]
        node.require(apart <= MOST_APART, shift, f"scale {shift.quant.scale[0]}", "it must be input's x weights'")
    matrix = node.weight(w, "int8", (0, 1), weights)
    attrs = {"quants": (quant, weights), "quant": result, "activation": node.activation()}
    given = reshape(node.value(0), (*leading, ins), node.where)
    return _fitting(node, apply("int8_linear", given, matrix, *bias(node, outs, "int32"), where=node.where, **attrs))


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


def bias(node: Node, outs: int, dtype: str) -> tuple[Value, ...]:
    """Input 2 as a list, if it is given."""
    given = node.optional(2)
    if given is None:
        return ()
    node.require(math.prod(given.shape) == outs, given, list(given.shape), f"it must have {outs} elements")
    return (reshape(node.weight(given, dtype, tuple(range(len(given.shape))), None), (outs,), node.where),)


LAYERS: dict[str, Callable[[Node], Value]] = {
    "CONV_2D": _convolution(CONV, axis=0),
    "DEPTHWISE_CONV_2D": _convolution(DEPTHWISE, axis=3),
    "FULLY_CONNECTED": _linear,
}
