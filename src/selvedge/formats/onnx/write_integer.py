"""int8 rows as ONNX: DequantizeLinear -> the operator on real numbers -> QuantizeLinear, which runtimes fuse; or, for
convolutions, the standard's own int8 operator.

What only moves int8 values moves them as they are: :mod:`.write_moves`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from selvedge.errors import NotSupported
from selvedge.ir import Node, Quant, Value
from selvedge.ir.integer.convert import dequantise
from selvedge.ir.integer.requantise import ACTIVATIONS, INT8_MAX, INT8_MIN, clamp
from selvedge.ir.integer.table import FUNCTIONS, table
from selvedge.ir.quant import permuted

from .sheet import OIHW, TO_FIRST, Sheet, Way, conv_attrs, quant_of, weights_of
from .write_pools import pool_attrs

MOST_BIAS = 2**21  # steps: rounded to 24 bits in the product and in the quotient, they are 1/4 off at most
# The functions that int8 tables are made of, as ONNX calls them.
OPERATORS = {"logistic": "Sigmoid", "tanh": "Tanh"}


def _finished(sheet: Sheet, node: Node, real: str, quant: Quant, way: Way) -> None:
    """``real`` as the int8 result."""
    _put(sheet, node, sheet.quantised(real, quant), quant, way)


def _put(sheet: Sheet, node: Node, made: str, quant: Quant, way: Way) -> None:
    """``made`` is the int8 result. A fused activation that int8's own range does not imply follows by itself, between
    the same scales: runtimes fuse a bare convolution."""
    activation = node.attrs.get("activation", "none")
    if clamp(quant, activation) != (INT8_MIN, INT8_MAX):
        made = sheet.quantised(_clamped(sheet, sheet.dequantised(made, quant), activation), quant)
    sheet.put(Value(node), made, way)


def _clamped(sheet: Sheet, real: str, activation: str) -> str:
    least, most = ACTIVATIONS[activation]
    if most is None:
        return sheet.emit("Relu", [real], "relu") if least is not None else real
    ends = [sheet.constant(np.array(end, np.float32), "bound") for end in (least, most)]
    return sheet.emit("Clip", [real, *ends], "clip")


def _bias(sheet: Sheet, node: Node) -> list[str]:
    """The int32 bias at the scale of its products: for QLinearConv as it is, else as the real numbers that it stands
    for, of which runtimes make it again. What float32 might not give back is dequantised."""
    if len(node.inputs) < 3:
        return []
    x, w = node.attrs["quants"]
    products = np.float32(x.scale[0]) * np.array(w.scale, np.float32)
    if not (np.isfinite(products).all() and (products > 0).all()):
        raise NotSupported(f"a bias of scale {float(products.min())}", node.where, "its scale must be a float32 number")
    bias = weights_of(node, 2)
    if sheet.operators and node.op == "int8_conv2d":
        return [sheet.constant(bias, "bias")]
    real = bias.astype(np.float32) * products
    if bias.min() >= -MOST_BIAS and bias.max() <= MOST_BIAS and _normal(real[bias != 0]):
        return [sheet.constant(real, "bias")]
    axis, whole = None if w.axis is None else 0, sheet.constant(bias, "bias")
    return [sheet.dequantised(whole, Quant(tuple(products.tolist()), (0,), axis), axis, "int32", zero_said=False)]


def _normal(real: np.ndarray) -> bool:
    """Whether float32 holds all of them with 24 bits."""
    return bool((np.isfinite(real) & (np.abs(real) >= np.finfo(np.float32).tiny)).all())


def _conv(sheet: Sheet, node: Node) -> None:
    x, w = node.inputs[0], weights_of(node, 1)
    quant = permuted(node.attrs["quants"][1], OIHW)
    assert quant is not None
    weights, y = sheet.constant(w.transpose(OIHW), "weight"), node.attrs["quant"]
    if sheet.operators:
        numbers = (sheet.parameters(q, "int8") for q in (quant_of(x), quant, y))
        (x_scale, x_zero), (w_scale, w_zero), (y_scale, y_zero) = numbers
        given = [sheet.tensor(x, TO_FIRST), x_scale, x_zero, weights, w_scale, w_zero, y_scale, y_zero]
        made = sheet.emit("QLinearConv", [*given, *_bias(sheet, node)], "conv", **conv_attrs(node))
        _put(sheet, node, made, y, TO_FIRST)
        return
    real = sheet.dequantised(weights, quant, quant.axis, zero_said=False)
    made = sheet.emit("Conv", [sheet.real(x, TO_FIRST), real, *_bias(sheet, node)], "conv", **conv_attrs(node))
    _finished(sheet, node, made, y, TO_FIRST)


def _linear(sheet: Sheet, node: Node) -> None:
    """Gemm, which takes matrices: rows of more axes are a reshape before and after. The weights lie as it takes them
    without being told."""
    x, w = node.inputs[0], weights_of(node, 1)
    quant = permuted(node.attrs["quants"][1], (1, 0))
    assert quant is not None
    weights = sheet.dequantised(sheet.constant(w.T, "weight"), quant, quant.axis)
    given, rows = sheet.tensor(x), int(np.prod(x.shape[:-1]))
    if len(x.shape) != 2:
        given = sheet.shaped(given, (rows, w.shape[1]))
    real = sheet.dequantised(given, quant_of(x))
    made = sheet.emit("Gemm", [real, weights, *_bias(sheet, node)], "gemm")
    _finished(sheet, node, made, node.attrs["quant"], None)
    if len(x.shape) != 2:
        matrix = sheet.tensor(Value(node))
        sheet.put(Value(node), sheet.shaped(matrix, node.specs[0].shape))


def _two(op: str) -> Callable[[Sheet, Node], None]:
    def rule(sheet: Sheet, node: Node) -> None:
        rank = len(node.specs[0].shape)
        way = sheet.way(node.inputs)
        reals = [sheet.real(v, way, rank if way else None) for v in node.inputs]
        _finished(sheet, node, sheet.emit(op, reals, op.lower()), node.attrs["quant"], way)

    return rule


def _average_pool(sheet: Sheet, node: Node) -> None:
    x = node.inputs[0]
    made = sheet.emit("AveragePool", [sheet.real(x, TO_FIRST)], "average_pool", **pool_attrs(node))
    _finished(sheet, node, made, node.attrs["quants"][0], TO_FIRST)


def _mean(sheet: Sheet, node: Node) -> None:
    """GlobalAveragePool where it is one: that is what runtimes have in int8."""
    x, axes, keep = node.inputs[0], node.attrs["axes"], bool(node.attrs["keepdims"])
    if len(x.shape) == 4 and axes == (1, 2):
        pooled = sheet.emit("GlobalAveragePool", [sheet.real(x, TO_FIRST)], "mean")
        made = sheet.quantised(pooled, node.attrs["quant"])
        if not keep:
            made = sheet.shaped(made, node.specs[0].shape)
        sheet.put(Value(node), made, TO_FIRST if keep else None)
    else:
        made = sheet.emit("ReduceMean", [sheet.real(x)], "mean", axes=axes, keepdims=int(keep))
        sheet.put(Value(node), sheet.quantised(made, node.attrs["quant"]))


def _softmax(sheet: Sheet, node: Node) -> None:
    real, beta = sheet.real(node.inputs[0]), float(node.attrs["beta"])
    if beta != 1:
        real = sheet.emit("Mul", [real, sheet.constant(np.array(beta, np.float32), "beta")], "mul")
    made = sheet.emit("Softmax", [real], "softmax")
    sheet.put(Value(node), sheet.quantised(made, node.attrs["quant"]))


def _table(sheet: Sheet, node: Node) -> None:
    """The function it is made of; else its real results, picked by the int8 value: a negative index counts from the
    end."""
    x, quant, way = node.inputs[0], node.attrs["quant"], sheet.way(node.inputs[:1])
    entries = weights_of(node, 1)
    for function, op in OPERATORS.items():
        if _is_table(entries, function, quant_of(x), quant):
            made = sheet.quantised(sheet.emit(op, [sheet.real(x, way)], function), quant)
            break
    else:
        index = sheet.emit("Cast", [sheet.tensor(x, way)], "index", to=6)  # int32
        reals = sheet.constant(np.roll(dequantise(entries, by=quant), 128), "table")
        made = sheet.quantised(sheet.emit("Gather", [reals, index], "look_up", axis=0), quant)
    sheet.put(Value(node), made, way)


def _is_table(entries: np.ndarray, function: str, x: Quant, y: Quant) -> bool:
    try:
        return function in FUNCTIONS and bool((table(function, x, y) == entries).all())
    except ValueError:  # a scale too small for one
        return False


def _relu(sheet: Sheet, node: Node) -> None:
    way = sheet.way(node.inputs)
    clamped = _clamped(sheet, sheet.real(node.inputs[0], way), node.attrs["activation"])
    sheet.put(Value(node), sheet.quantised(clamped, node.attrs["quant"]), way)


def _requantise(sheet: Sheet, node: Node) -> None:
    way = sheet.way(node.inputs)
    sheet.put(Value(node), sheet.quantised(sheet.real(node.inputs[0], way), node.attrs["quant"]), way)


def _quantise(sheet: Sheet, node: Node) -> None:
    way = sheet.way(node.inputs)
    sheet.put(Value(node), sheet.quantised(sheet.tensor(node.inputs[0], way), node.attrs["quant"]), way)


def _dequantise(sheet: Sheet, node: Node) -> None:
    way = sheet.way(node.inputs)
    sheet.put(Value(node), sheet.real(node.inputs[0], way), way)


INTEGER: dict[str, Callable[[Sheet, Node], Any]] = {
    "dequantise": _dequantise,
    "int8_add": _two("Add"),
    "int8_average_pool": _average_pool,
    "int8_conv2d": _conv,
    "int8_linear": _linear,
    "int8_mean": _mean,
    "int8_mul": _two("Mul"),
    "int8_relu": _relu,
    "int8_softmax": _softmax,
    "int8_table": _table,
    "quantise": _quantise,
    "requantise": _requantise,
}
"""Row -> how it is written."""
