"""int8 rows as PT2E writes them: dequantise, compute in real numbers, quantise, with the scales as they are.

A backend that has integer kernels (XNNPACK) makes one of each such group; one that has none computes in float32. Either
rounds otherwise than our rows, by at most one step a layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import NotSupported
from ..formats.windows import sliding
from ..ir import Node, Value
from ..ir.integer.requantise import ACTIVATIONS
from ..ir.ops.integer_convolution import known
from .layers import convolved, mean_of_windows
from .sheet import NCHW, OIHW, Order, Row, Sheet, dequantised, quantised, real


def _activated(x: Tensor, activation: str) -> Tensor:
    low, high = ACTIVATIONS[activation]
    if activation == "none":
        return x
    if high is None:
        return F.relu(x)
    return F.hardtanh(x, low or 0.0, high)


def _finished(sheet: Sheet, node: Node, made: Tensor, order: Order | None = None) -> None:
    quant = node.specs[0].quant
    assert quant is not None
    sheet.put(Value(node), quantised(_activated(made, node.attrs.get("activation", "none")), quant), order)


def _bias(sheet: Sheet, node: Node) -> Tensor | None:
    """The real numbers that the int32 stand for, at the scale of their products."""
    if len(node.inputs) < 3:
        return None
    array = known(node.inputs[2])
    if array is None:
        raise NotSupported(f"{node.op} with a computed bias", node.where, "freeze it to a constant")
    x, w = node.attrs["quants"]
    return sheet.constant((array * (np.array(w.scale) * x.scale[0])).astype(np.float32))


def _conv(sheet: Sheet, node: Node) -> None:
    weight = node.inputs[1]
    w = dequantised(sheet, sheet.of(weight, OIHW), node.attrs["quants"][1], OIHW)
    made = convolved(real(sheet, node.inputs[0], NCHW), w, _bias(sheet, node), node.attrs)
    _finished(sheet, node, made, NCHW)


def _linear(sheet: Sheet, node: Node) -> None:
    w = dequantised(sheet, sheet.of(node.inputs[1]), node.attrs["quants"][1])
    _finished(sheet, node, F.linear(real(sheet, node.inputs[0]), w, _bias(sheet, node)))


def _two(meaning: Callable[[Tensor, Tensor], Tensor]) -> Row:
    def row(sheet: Sheet, node: Node) -> None:
        rank = len(node.specs[0].shape)
        order = sheet.order(node.inputs, rank)
        given = []
        for value in node.inputs:
            quant = value.spec.quant
            assert quant is not None
            given.append(dequantised(sheet, sheet.lifted(value, rank, order), quant))
        _finished(sheet, node, meaning(*given), order)

    return row


def _mean(sheet: Sheet, node: Node) -> None:
    (x,), axes, keep = node.inputs, node.attrs["axes"], bool(node.attrs["keepdims"])
    order = sheet.order((x,), len(x.shape))
    made = real(sheet, x, order).mean([order.index(a) for a in axes], keepdim=True)
    if keep:
        _finished(sheet, node, made, order)
        return
    left = [a for a in order if a not in axes]
    _finished(sheet, node, made.reshape([x.shape[a] for a in left]), tuple(sorted(left).index(a) for a in left))


def _average_pool(sheet: Sheet, node: Node) -> None:
    counts = {f"counts_{a}": tuple(len(range(*w)) for w in node.attrs[f"windows_{a}"]) for a in "hw"}
    made = mean_of_windows(real(sheet, node.inputs[0], NCHW), {**node.attrs, **counts}, sheet)
    _finished(sheet, node, made, NCHW)


def max_pool(sheet: Sheet, node: Node) -> None:
    """Of floats or int8, without its index. Padding loses against everything."""
    (x,) = node.inputs
    ways = [sliding(node.attrs[f"windows_{a}"], x.shape[axis]) for a, axis in (("h", 1), ("w", 2))]
    if ways[0] is None or ways[1] is None:
        raise NotSupported("a max_pool of windows that no kernel slides over", node.where, "use a regular pool")
    given = sheet.of(x, NCHW) if x.spec.is_float else real(sheet, x, NCHW)
    down, across = ways[0], ways[1]
    if (down.before, across.before) != (down.after, across.after) or 2 * down.before > down.kernel:
        lowest = float("-inf")
        given = F.pad(given, (across.before, across.after, down.before, down.after), value=lowest)
        inside = (0, 0)
    else:
        inside = (down.before, across.before)
    made = F.max_pool2d(
        given, (down.kernel, across.kernel), (down.stride, across.stride), inside, (down.dilation, across.dilation)
    )
    if x.spec.is_float:
        sheet.put(Value(node), made, NCHW)
    else:
        _finished(sheet, node, made, NCHW)


def _softmax(sheet: Sheet, node: Node) -> None:
    x = real(sheet, node.inputs[0])
    beta = node.attrs["beta"]
    _finished(sheet, node, F.softmax(x if beta == 1 else x * beta, -1))


def _quantise(sheet: Sheet, node: Node) -> None:
    order = sheet.order(node.inputs, len(node.specs[0].shape))
    _finished(sheet, node, sheet.of(node.inputs[0], order), order)


def _dequantise(sheet: Sheet, node: Node) -> None:
    (x,) = node.inputs
    order = sheet.order(node.inputs, len(x.shape))
    if x.dtype == "int32":
        raise NotSupported("int32 numbers that are dequantised", node.where, "freeze them to constants")
    sheet.put(Value(node), dequantised(sheet, sheet.of(x, order), node.attrs["quants"][0], order), order)


def _rescaled(sheet: Sheet, node: Node) -> None:
    order = sheet.order(node.inputs, len(node.specs[0].shape))
    _finished(sheet, node, real(sheet, node.inputs[0], order), order)


def _table(sheet: Sheet, node: Node) -> None:
    """Whatever the function is, its 256 results are known."""
    x, entries = node.inputs
    order = sheet.order((x,), len(x.shape))
    given = sheet.of(x, order)
    place = (given.to(torch.int64) + 128).reshape(-1)
    made: Any = torch.index_select(sheet.of(entries), 0, place).reshape(given.shape)
    sheet.put(Value(node), made, order)


INTEGER: dict[str, Row] = {
    "dequantise": _dequantise,
    "int8_add": _two(torch.add),
    "int8_average_pool": _average_pool,
    "int8_conv2d": _conv,
    "int8_linear": _linear,
    "int8_mean": _mean,
    "int8_mul": _two(torch.mul),
    "int8_relu": _rescaled,
    "int8_softmax": _softmax,
    "int8_table": _table,
    "max_pool": max_pool,
    "quantise": _quantise,
    "requantise": _rescaled,
}
