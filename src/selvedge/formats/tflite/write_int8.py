"""int8 rows as operators. What LiteRT's reference kernels make of them is bit by bit what the rows mean.

TensorFlow's padding is "same" or "valid": another one becomes an operator of its own before its layer, of the zero
point, which adds nothing to a sum. A fully connected layer takes what lies in rows whatever its shape, so that what
flattens before it is no operator. A table is looked up (CAST, ADD, GATHER) where it is not that of an operator.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from selvedge.errors import NotSupported
from selvedge.ir import Node, Quant, Spec, Value
from selvedge.ir.integer.table import FUNCTIONS, table

from .geometry import kernel_of, padded_kernel_of, padding_of
from .model import Option
from .writing import INT8_VERSIONS, Rule, Writing

FULLY_CONNECTED_BY_CHANNEL = 12


def _plain(name: str) -> Rule:
    def rule(w: Writing, node: Node) -> int:
        options = {"activation": node.attrs["activation"]} if "activation" in node.attrs else {}
        return w.operator(name, tuple(map(w.of, node.inputs)), node.specs[0], node, **options)

    return rule


def _relu(w: Writing, node: Node) -> int:
    name = {"relu": "RELU", "relu6": "RELU6", "relu_n1_to_1": "RELU_N1_TO_1"}.get(node.attrs["activation"])
    return w.operator(name or "QUANTIZE", (w.of(node.inputs[0]),), node.specs[0], node)


def _convolution(w: Writing, node: Node) -> int:
    x, weight, *bias = node.inputs
    (kh, kw, per_group, outs), groups, at = weight.shape, node.attrs["groups"], node.attrs
    depthwise = groups == x.shape[3] > 1 and per_group == 1
    place, shape = w.of(x), x.shape
    padding = padding_of(shape[1:3], (kh, kw), at["stride"], at["padding"], at["dilation"])
    if padding is None:
        (top, bottom), (left, right) = at["padding"]
        place = _padded(w, place, x.spec, ((0, 0), (top, bottom), (left, right), (0, 0)))
        padding = "valid"
    options: dict[str, Option] = {"padding": padding, "activation": at["activation"]}
    for name in ("stride", "dilation"):
        options |= {f"{name}_h": at[name][0], f"{name}_w": at[name][1]}
    if depthwise:
        options["depth_multiplier"] = outs // groups
    name = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    inputs = (place, w.of(weight, (2, 0, 1, 3) if depthwise else (3, 0, 1, 2)), *_bias(w, node, bias))
    return w.operator(name, inputs, node.specs[0], node, **options)


def _linear(w: Writing, node: Node) -> int:
    x, weight, *bias = node.inputs
    name, quant = "FULLY_CONNECTED", weight.spec.quant
    version = INT8_VERSIONS[name] if quant is None or quant.axis is None else FULLY_CONNECTED_BY_CHANNEL
    options: dict[str, Option] = {"activation": node.attrs["activation"], "keep_dims": len(x.shape) > 2}
    if x.node in w.fused.flat:
        (x,) = x.node.inputs
    return w.versioned(version, name, (w.of(x), w.of(weight), *_bias(w, node, bias)), node.specs[0], node, options)


def _bias(w: Writing, node: Node, bias: list[Value]) -> tuple[int | None, ...]:
    """At the scale of the products, as the file says it. Without one a fully connected layer leaves it out; LiteRT's
    convolutions must have it: zeros."""
    if not bias and node.op == "int8_linear":
        return (None,)
    x, weight = node.attrs["quants"]
    with np.errstate(over="ignore", under="ignore"):
        scale = np.float32(x.scale[0]) * np.array(weight.scale, np.float32)
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise NotSupported(f"a bias of scale {float(scale.min())}", node.where, "its scale must be a float32 number")
    quant = Quant(tuple(map(float, scale)), (0,), None if len(scale) == 1 else 0)
    outs = node.specs[0].shape[-1:]
    return (w.constant(np.asarray(bias[0].node.attrs["value"]) if bias else np.zeros(outs, np.int32), quant),)


def _padded(w: Writing, place: int, spec: Spec, amounts: tuple[tuple[int, int], ...], value: int | None = None) -> int:
    """``place`` with the zero point around it, or ``value``."""
    shape = tuple(n + sum(pair) for n, pair in zip(spec.shape, amounts, strict=True))
    made = Spec(shape, "int8", spec.quant)
    if value is None:
        return w.operator("PAD", (place, w.numbers(amounts)), made)
    return w.operator("PADV2", (place, w.numbers(amounts), one(w, value, spec)), made)


def one(w: Writing, value: int, spec: Spec) -> int:
    return w.constant(np.array([value], np.int8), spec.quant)


def pooled(w: Writing, node: Node) -> int:
    """Of int8: an average, or a maximum."""
    average = node.op == "int8_average_pool"
    x = node.inputs[0]
    place, extents = w.of(x), x.shape[1:3]
    windows = node.attrs["windows_h"], node.attrs["windows_w"]
    found = kernel_of(extents, windows)
    if found is None and not average:
        # Of the lowest value around, which no maximum is.
        around = padded_kernel_of(extents, windows)
        if around is not None:
            found, pads = around
            place = _padded(w, place, x.spec, ((0, 0), *pads, (0, 0)), -128)
    if found is None:
        raise NotSupported(f"{node.op} of unequal windows in a .tflite file", node.where, "pool by equal windows")
    kernel, stride, padding = found
    return w.operator(
        "AVERAGE_POOL_2D" if average else "MAX_POOL_2D", (place,), node.specs[0], node, padding=padding,
        kernel_h=kernel[0], kernel_w=kernel[1], stride_h=stride[0], stride_w=stride[1],
        activation=node.attrs.get("activation", "none"),
    )  # fmt: skip


def _mean(w: Writing, node: Node) -> int:
    inputs = (w.of(node.inputs[0]), w.numbers(node.attrs["axes"]))
    return w.operator("MEAN", inputs, node.specs[0], node, keep_dims=bool(node.attrs["keepdims"]))


def _softmax(w: Writing, node: Node) -> int:
    return w.operator("SOFTMAX", (w.of(node.inputs[0]),), node.specs[0], node, beta=float(node.attrs["beta"]))


def _table(w: Writing, node: Node) -> int:
    x, entries = node.inputs[0], np.asarray(node.inputs[1].node.attrs["value"])
    (given,), y = node.attrs["quants"], node.attrs["quant"]
    for function, name in (("logistic", "LOGISTIC"), ("tanh", "TANH")):
        fits = y == {"logistic": Quant((1 / 256,), (-128,)), "tanh": Quant((1 / 128,))}[function]
        if fits and function in FUNCTIONS and (table(function, given, y) == entries).all():
            return w.operator(name, (w.of(x),), node.specs[0], node)
    whole = w.operator("CAST", (w.of(x),), Spec(x.shape, "int32"))
    number = w.operator("ADD", (whole, w.numbers([128])), Spec(x.shape, "int32"))
    return w.operator("GATHER", (w.constant(entries, y), number), node.specs[0], node)


def _nearest(w: Writing, node: Node) -> int:
    """Rows picked, then columns."""
    x, rows = node.inputs[0], node.attrs["rows"]
    spec = Spec((x.shape[0], len(rows), *x.shape[2:]), "int8", x.spec.quant)
    picked = w.operator("GATHER", (w.of(x), w.numbers(rows)), spec, axis=1)
    return w.operator("GATHER", (picked, w.numbers(node.attrs["columns"])), node.specs[0], node, axis=2)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "dequantise": _plain("DEQUANTIZE"),
        "int8_add": _plain("ADD"),
        "int8_average_pool": pooled,
        "int8_conv2d": _convolution,
        "int8_linear": _linear,
        "int8_mean": _mean,
        "int8_mul": _plain("MUL"),
        "int8_relu": _relu,
        "int8_softmax": _softmax,
        "int8_table": _table,
        "nearest": _nearest,
        "quantise": _plain("QUANTIZE"),
        "requantise": _plain("QUANTIZE"),
    }
)
