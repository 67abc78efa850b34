"""int8 convolution and linear layer: int8 by int8 into int32, plus a bias, rescaled to int8.

Meanings: ``ir/integer``, bit by bit LiteRT's reference kernels: the convolution rescales in fixed point, the linear
layer in float64. No gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from ..graph import Node, Spec, Value
from ..integer.bound import accumulator_bound, widest_bound
from ..integer.convolution import conv2d
from ..integer.linear import linear
from ..integer.requantise import Requantise, RequantiseFloat64, clamp, product_scales, requantise
from ..integer.rules import activation, checked, one_scale, quants, result
from ..op import TABLE, Arrays, Attrs, Cost, Op, register
from ..quant import Quant
from ..rules import rank, require
from .convolution import GEOMETRY

OPS = ("int8_conv2d", "int8_linear")


def _weights(op: str, specs: Sequence[Spec], attrs: Attrs, axis: int) -> tuple[Quant, Quant]:
    """How x and w are quantised; the bias is looked at."""
    require(len(specs) in (2, 3), op, "number of inputs", len(specs), "must be x, w and perhaps a bias")
    x, w = quants(op, specs, attrs, ("x", "w"))
    one_scale(op, "x quant", x)
    outs = specs[1].shape[axis]
    require(w.axis in (None, axis), op, "w quant", w, f"its scales must be along axis {axis}")
    require(len(w.scale) in (1, outs), op, "w quant", w, f"must have one scale, or {outs}")
    if len(specs) == 3:
        bias = (specs[2].shape, specs[2].dtype)
        require(bias == ((outs,), "int32"), op, "bias", specs[2], f"must be int32[{outs}]")
    return x, w


# int8_conv2d(x, w, bias){stride, padding, dilation, groups, quants, quant, activation}: the geometry of conv2d, HWIO


def conv_requantise(attrs: Attrs) -> Requantise:
    """From its accumulators to int8."""
    (x, w), y = attrs["quants"], attrs["quant"]
    return requantise(product_scales(x, w, y), y, attrs["activation"])


def _conv_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    op = "int8_conv2d"
    require(len(specs) in (2, 3), op, "number of inputs", len(specs), "must be x, w and perhaps a bias")
    rank(op, "x", specs[0], 4)
    rank(op, "w", specs[1], 4)
    # The float row's own rule checks that kernel, groups and image fit.
    (made,) = TABLE["conv2d"].infer([Spec(s.shape) for s in specs[:2]], attrs)
    _, w = _weights(op, specs, attrs, axis=3)
    require(w.is_symmetric, op, "w quant", w, "must have no zero point")
    activation(op, attrs)
    y = result(op, attrs)
    checked(op, conv_requantise, attrs)
    return (Spec(made.shape, "int8", y),)


def _conv(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    x, w, *bias = arrays
    geometry = {field: attrs[field] for field in GEOMETRY}
    zero = attrs["quants"][0].zero_point[0]
    return (conv2d(x, w, bias[0] if bias else None, x_zero=zero, requantise=conv_requantise(attrs), **geometry),)


def _conv_cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    kh, kw, per_group, _ = ins[1].shape
    return Cost(macs=outs[0].size * kh * kw * per_group, ops=outs[0].size)


register(Op("int8_conv2d", _conv_infer, _conv, None, _conv_cost))


# int8_linear(x, w, bias){quants, quant, activation}: x [..., I], w [O, I]


def linear_requantise(attrs: Attrs) -> RequantiseFloat64:
    """From its accumulators to int8."""
    (x, w), y = attrs["quants"], attrs["quant"]
    low, high = clamp(y, attrs["activation"])
    return RequantiseFloat64(tuple(product_scales(x, w, y)), y.zero_point[0], low, high)


def _linear_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    op = "int8_linear"
    require(len(specs) in (2, 3), op, "number of inputs", len(specs), "must be x, w and perhaps a bias")
    x, w = specs[:2]
    rank(op, "w", w, 2)
    fits = bool(x.shape) and x.shape[-1] == w.shape[1]
    require(fits, op, "x shape", x.shape, f"must end in {w.shape[1]}")
    _, weights = _weights(op, specs, attrs, axis=0)
    plain = weights.is_symmetric or weights.axis is None
    require(plain, op, "w quant", weights, "scales by channel must have no zero point")
    activation(op, attrs)
    y = result(op, attrs)
    checked(op, linear_requantise, attrs)
    return (Spec((*x.shape[:-1], w.shape[0]), "int8", y),)


def _linear(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    x, w, *bias = arrays
    qx, qw = attrs["quants"]
    zeros = {"x_zero": qx.zero_point[0], "w_zero": qw.zero_point[0]}
    return (linear(x, w, bias[0] if bias else None, **zeros, requantise=linear_requantise(attrs)),)


def _linear_cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    return Cost(macs=outs[0].size * ins[1].shape[1], ops=outs[0].size)


register(Op("int8_linear", _linear_infer, _linear, None, _linear_cost))


def sums(node: Node, state: Mapping[str, np.ndarray] = MappingProxyType({})) -> tuple[int, int] | None:
    """(least, most) that an int32 accumulator of ``node``, of :data:`OPS`, reaches: by its weights where they are
    constants or in ``state``, else by the widest that int8 has. None where its bias is neither: nothing bounds it."""
    x, w = node.attrs["quants"]
    zeros = x.zero_point[0], w.zero_point[0]
    weights, *rest = (known(v, state) for v in node.inputs[1:])
    if rest and rest[0] is None:
        return None
    bias = rest[0] if rest else None
    shape = node.inputs[1].shape
    if weights is None:
        products = shape[1] if node.op == "int8_linear" else shape[0] * shape[1] * shape[2]
        return widest_bound(products, bias, *zeros)
    matrix = weights.T if node.op == "int8_linear" else weights.reshape(-1, shape[3])
    return accumulator_bound(matrix, bias, *zeros)


def known(value: Value, state: Mapping[str, np.ndarray] = MappingProxyType({})) -> np.ndarray | None:
    """The array of a constant, or of a leaf in ``state``, through reshapes; None for anything else."""
    node = value.node
    while node.op == "reshape":
        node = node.inputs[0].node
    array = node.attrs["value"] if node.op == "constant" else state.get(node.attrs.get("name", ""))
    return None if array is None else np.asarray(array).reshape(value.shape)
