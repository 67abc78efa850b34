"""int8 rows in integers, bit by bit what ``ir/integer`` says: the same multipliers, shifts and roundings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
from tvm import te
from tvm import tirx as tir

from selvedge.ir import Node
from selvedge.ir.integer.elementwise import ADD_SHIFT, Rescale, clamping
from selvedge.ir.integer.fixed_point import INT32_MAX, INT32_MIN
from selvedge.ir.integer.requantise import Requantise, RequantiseFloat64, clamp
from selvedge.ir.ops.integer_convert import rescaling
from selvedge.ir.ops.integer_convolution import conv_requantise, linear_requantise
from selvedge.ir.ops.integer_elementwise import adding, multiplying
from selvedge.ir.ops.integer_pooling import mean_requantise

from .layers import convolved, pooled, tables
from .sheet import Row, Sheet, at, elements, kind


def _i(value: int) -> Any:
    return tir.const(value, "int64")


def _wide(x: Any) -> Any:
    return x.astype("int64")


def _saturated(x: Any) -> Any:
    return tir.max(tir.min(x, _i(INT32_MAX)), _i(INT32_MIN))


def _multiplied(shape: Sequence[int], x: Any, multiplier: Any, left: Any, right: Any) -> Any:
    """MultiplyByQuantizedMultiplier of ``x``, an int64 tensor: see ``ir/integer/fixed_point.py``. The others are a
    number for all, or a tensor of the last axis. A tensor a step: as one expression each would be written out again
    wherever it is read, and TVM would simplify every copy."""

    def one(by: Any, i: Sequence[Any]) -> Any:
        return _i(by) if isinstance(by, int) else by(i[-1])

    shifted = elements(shape, lambda *i: _saturated(x(*i) << one(left, i))) if left != 0 else x
    high = elements(
        shape, lambda *i: tir.min((shifted(*i) * one(multiplier, i) + _i(1 << 30)) >> _i(31), _i(INT32_MAX))
    )
    if isinstance(right, int) and right == 0:
        return high

    def rounded(*i: Any) -> Any:
        mask = (_i(1) << one(right, i)) - _i(1)
        negative = tir.Select(high(*i) < _i(0), _i(1), _i(0))
        up = tir.Select((high(*i) & mask) > (mask >> _i(1)) + negative, _i(1), _i(0))
        return (high(*i) >> one(right, i)) + up

    return elements(shape, rounded)


def _scaled(shape: Sequence[int], x: Any, multiplier: int, shift: int) -> Any:
    return _multiplied(shape, x, multiplier, max(shift, 0), max(-shift, 0))


def _bounded(x: Any, by: Requantise | RequantiseFloat64) -> Any:
    return tir.max(tir.min(x + _i(by.zero_point), _i(by.high)), _i(by.low)).astype("int8")


def _requantised(shape: Sequence[int], whole: Callable[..., Any], by: Requantise) -> Any:
    """Of int64 elements, one multiplier for all."""
    wide = elements(shape, lambda *i: _saturated(whole(*i)))
    scaled = _scaled(shape, wide, by.multiplier[0], by.shift[0])
    return elements(shape, lambda *i: _bounded(scaled(*i), by))


def _channels(sheet: Sheet, by: Requantise, count: int) -> list[Any]:
    """Multipliers, left shifts and right shifts, one an output channel."""
    shift = np.broadcast_to(np.array(by.shift, np.int64), count)
    found = (np.broadcast_to(np.array(by.multiplier, np.int64), count), np.maximum(shift, 0), np.maximum(-shift, 0))
    return [sheet.constant(v) for v in found]


def _bias(sheet: Sheet, node: Node, count: int) -> Any:
    return sheet.of(node.inputs[2]) if len(node.inputs) > 2 else sheet.constant(np.zeros(count, np.int32))


def _conv(sheet: Sheet, node: Node) -> None:
    shape, by = node.specs[0].shape, conv_requantise(node.attrs)
    zero, outs = node.attrs["quants"][0].zero_point[0], node.inputs[1].shape[3]

    def body(x: Any, w: Any, bias: Any, multiplier: Any, left: Any, right: Any) -> Any:
        sums = convolved(x, w, node.attrs, shape, "int32", zero)

        whole = elements(shape, lambda *i: _saturated(_wide(sums(*i)) + _wide(bias(i[-1]))))
        scaled = _multiplied(shape, whole, multiplier, left if any(s > 0 for s in by.shift) else 0, right)
        return elements(shape, lambda *i: _bounded(scaled(*i), by))

    given = (sheet.of(node.inputs[0]), sheet.of(node.inputs[1]), _bias(sheet, node, outs))
    sheet.compute(node, body, *given, *_channels(sheet, by, outs))


def _away(real: Any) -> Any:
    """Rounded to nearest, halves away from zero, in the type of ``real``."""
    one, none, half = (tir.const(n, kind(real)) for n in (1, 0, 0.5))
    magnitude = tir.Select(real < none, -real, real)
    whole = tir.floor(magnitude)
    rounded = whole + tir.Select(magnitude - whole >= half, one, none)
    return tir.Select(real < none, -rounded, rounded)


def _linear(sheet: Sheet, node: Node) -> None:
    """Rescaled in float64, as the reference's."""
    shape, by = node.specs[0].shape, linear_requantise(node.attrs)
    x_zero, w_zero = (q.zero_point[0] for q in node.attrs["quants"])
    outs, inner = node.inputs[1].shape
    scale = sheet.constant(np.broadcast_to(np.array(by.scale, np.float64), outs).copy())

    def body(x: Any, w: Any, bias: Any, scales: Any) -> Any:
        k = te.reduce_axis((0, inner), name="k")

        def product(*i: Any) -> Any:
            left = x(*i[:-1], k).astype("int32") - tir.const(x_zero, "int32")
            return te.sum(left * (w(i[-1], k).astype("int32") - tir.const(w_zero, "int32")), axis=k)

        sums = elements(shape, product)

        def element(*i: Any) -> Any:
            whole = _saturated(_wide(sums(*i)) + _wide(bias(i[-1])))
            return whole.astype("float64") * scales(i[-1])

        real = elements(shape, element)
        limit = tir.const(2.0**40, "float64")
        return elements(shape, lambda *i: _bounded(_wide(tir.max(tir.min(_away(real(*i)), limit), -limit)), by))

    given = (sheet.of(node.inputs[0]), sheet.of(node.inputs[1]), _bias(sheet, node, outs))
    sheet.compute(node, body, *given, scale)


def _one(derive: Callable[[Any], Requantise]) -> Row:
    """A row that rescales one int8."""

    def row(sheet: Sheet, node: Node) -> None:
        shape, zero = node.specs[0].shape, node.attrs["quants"][0].zero_point[0]
        by = derive(node.attrs)
        sheet.compute_values(node, lambda x: _requantised(shape, lambda *i: _wide(x(*i)) - _i(zero), by))

    return row


def _relu(attrs: Any) -> Requantise:
    return clamping(attrs["quants"][0], attrs["quant"], attrs["activation"])


def _quantised(sheet: Sheet, node: Node) -> None:
    quant, shape = node.attrs["quant"], node.specs[0].shape

    def body(x: Any) -> Any:
        steps = elements(shape, lambda *i: x(*i).astype("float32") / tir.const(quant.scale[0], "float32"))
        limit = tir.const(1e6, "float32")

        def element(*i: Any) -> Any:
            whole = _wide(tir.max(tir.min(_away(steps(*i)), limit), -limit)) + _i(quant.zero_point[0])
            bounded = tir.max(tir.min(whole, _i(127)), _i(-128)).astype("int8")
            return tir.Select(x(*i) != x(*i), tir.const(quant.zero_point[0], "int8"), bounded)

        return elements(shape, element)

    sheet.compute_values(node, body)


def _dequantised(sheet: Sheet, node: Node) -> None:
    (x,), quant, shape = node.inputs, node.attrs["quants"][0], node.specs[0].shape
    axis, count = quant.axis, len(quant.scale)
    scales = sheet.constant(np.array(quant.scale, np.float64))
    zeros = sheet.constant(np.broadcast_to(np.array(quant.zero_point, np.int64), count).copy())

    def body(tensor: Any, scale: Any, zero: Any) -> Any:
        def element(*i: Any) -> Any:
            a = 0 if axis is None else i[axis]
            real = (_wide(tensor(*i)) - zero(a)).astype("float64") * scale(a)
            return real.astype("float32").astype(node.attrs["dtype"])

        return elements(shape, element)

    sheet.compute(node, body, sheet.of(x), scales, zeros)


def _table(sheet: Sheet, node: Node) -> None:
    shape = node.specs[0].shape
    sheet.compute_values(
        node, lambda x, entries: elements(shape, lambda *i: entries(x(*i).astype("int32") + tir.const(128, "int32")))
    )


def _add(sheet: Sheet, node: Node) -> None:
    by, shape = adding(node.attrs), node.specs[0].shape

    def summand(x: Any, rescale: Rescale) -> Any:
        own = tuple(int(n) for n in x.shape)
        wide = elements(own, lambda *i: (_wide(x(*i)) - _i(rescale.zero_point)) << _i(ADD_SHIFT))
        return _scaled(own, wide, rescale.multiplier, rescale.shift)

    def body(a: Any, b: Any) -> Any:
        left, right = summand(a, by.a), summand(b, by.b)
        return _requantised(shape, lambda *i: at(left, i) + at(right, i), by.result)

    sheet.compute_values(node, body)


def _mul(sheet: Sheet, node: Node) -> None:
    by, shape = multiplying(node.attrs), node.specs[0].shape
    left, right = (q.zero_point[0] for q in node.attrs["quants"])

    def body(a: Any, b: Any) -> Any:
        return _requantised(shape, lambda *i: (_wide(at(a, i)) - _i(left)) * (_wide(at(b, i)) - _i(right)), by)

    sheet.compute_values(node, body)


def _average_pool(sheet: Sheet, node: Node) -> None:
    shape = node.specs[0].shape
    low, high = clamp(node.attrs["quants"][0], node.attrs["activation"])
    down, across = (np.array([len(range(*w)) for w in node.attrs[f]], np.int32) for f in ("windows_h", "windows_w"))

    def body(x: Any, counts: Any, *windows: Any) -> Any:
        sums = pooled(x, windows, node.attrs, shape, "int32", None)

        def element(n: Any, i: Any, j: Any, c: Any) -> Any:
            total, count = sums(n, i, j, c), counts(i, j)
            half = tir.floordiv(count, tir.const(2, "int32"))
            return tir.truncdiv(tir.Select(total > 0, total + half, total - half), count)

        whole = elements(shape, element)
        ends = tir.const(high, "int32"), tir.const(low, "int32")
        return elements(shape, lambda *i: tir.max(tir.min(whole(*i), ends[0]), ends[1]).astype("int8"))

    counts = sheet.constant(np.outer(down, across))
    sheet.compute(node, body, sheet.of(node.inputs[0]), counts, *tables(sheet, node.attrs))


def _mean(sheet: Sheet, node: Node) -> None:
    (x,), axes, keep = node.inputs, node.attrs["axes"], bool(node.attrs["keepdims"])
    count = prod(x.shape[a] for a in axes)
    by, zero = mean_requantise(node.attrs, count), node.attrs["quants"][0].zero_point[0]

    def body(tensor: Any) -> Any:
        over = [te.reduce_axis((0, x.shape[a]), name=f"r{a}") for a in axes]

        def total(*i: Any) -> Any:
            return te.sum(tensor(*_placed(i, axes, over, len(x.shape), keep)).astype("int64"), axis=over)

        sums = elements(node.specs[0].shape, total)
        return _requantised(node.specs[0].shape, lambda *i: sums(*i) - _i(zero * count), by)

    sheet.compute_values(node, body)


def _placed(i: Sequence[Any], axes: Sequence[int], over: Sequence[Any], rank: int, keep: bool) -> list[Any]:
    rest, runs, place = list(i), iter(over), []
    for a in range(rank):
        if a in axes:
            place.append(next(runs))
            if keep:
                rest.pop(0)
        else:
            place.append(rest.pop(0))
    return place


INTEGER: dict[str, Row] = {
    "dequantise": _dequantised,
    "int8_add": _add,
    "int8_average_pool": _average_pool,
    "int8_conv2d": _conv,
    "int8_linear": _linear,
    "int8_mean": _mean,
    "int8_mul": _mul,
    "int8_relu": _one(_relu),
    "int8_table": _table,
    "quantise": _quantised,
    "requantise": _one(rescaling),
}
