"""Gradients of layers as the standard's operators: convolutions by convolutions, pools by products and scatters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from selvedge.ir import Node, Value
from selvedge.ir.ops.pooling import indicator

from .formula import Formula
from .sheet import OIHW, TO_FIRST, Sheet, conv_attrs

IOHW = (2, 3, 0, 1)  # of our HWIO
SWAPPED = (1, 0, 2, 3)


def _whole(sheet: Sheet, *numbers: int) -> str:
    return sheet.constant(np.array(numbers, np.int64), "shape")


def _conv_input(sheet: Sheet, node: Node) -> None:
    """The transposed convolution. Rows and columns that no tap met come behind: output_padding."""
    dy, w = node.inputs
    attrs, extents = conv_attrs(node), node.attrs["input_shape"][1:3]
    missing = tuple(
        extents[a]
        - node.attrs["stride"][a] * (dy.shape[1 + a] - 1)
        - node.attrs["dilation"][a] * (w.shape[a] - 1)
        - 1
        + sum(node.attrs["padding"][a])
        for a in (0, 1)
    )
    if any(missing):
        attrs["output_padding"] = missing
    made = sheet.emit("ConvTranspose", [sheet.tensor(dy, TO_FIRST), sheet.tensor(w, OIHW)], "input_grad", **attrs)
    sheet.put(Value(node), made, TO_FIRST)


def _conv_weight(sheet: Sheet, node: Node) -> None:
    """The convolution of the image by its result's gradient, samples in the place of channels: stride and dilation
    change theirs. Of pixels one by one it is a product of matrices."""
    x, dy = node.inputs
    groups, (n, height, width, channels) = node.attrs["groups"], x.shape
    image, gradient = sheet.tensor(x, TO_FIRST), sheet.tensor(dy, TO_FIRST)
    kernel, per_group, outs = node.attrs["kernel"], channels // groups, dy.shape[3]
    plain = not any(map(any, node.attrs["padding"])) and tuple(node.attrs["stride"]) == (1, 1)
    if tuple(kernel) == (1, 1) and groups == 1 and plain:
        rows = sheet.shaped(image, (n, channels, height * width))
        columns = sheet.emit(
            "Transpose", [sheet.shaped(gradient, (n, outs, height * width))], "transpose", perm=(0, 2, 1)
        )
        made = Formula(sheet, x.dtype).sum(sheet.emit("MatMul", [rows, columns], "weight_grad"), (0,), keepdims=False)
        sheet.put(Value(node), sheet.shaped(made, (channels, outs, 1, 1)), IOHW)
        return
    if groups == 1:
        turned = sheet.emit("Transpose", [image], "transpose", perm=SWAPPED)
    elif n == 1 and per_group == 1:
        turned = image
    else:
        apart = sheet.shaped(image, (n, groups, per_group, height, width))
        turned = sheet.emit("Transpose", [apart], "transpose", perm=(2, 1, 0, 3, 4))
        turned = sheet.shaped(turned, (per_group, groups * n, height, width))
    taps = sheet.emit("Transpose", [gradient], "transpose", perm=SWAPPED)
    attrs = conv_attrs(node)
    strides, dilations = attrs.pop("dilations", None), attrs.pop("strides", None)
    attrs |= {name: v for name, v in (("strides", strides), ("dilations", dilations)) if v}
    made = sheet.emit("Conv", [turned, taps], "weight_grad", **attrs)
    reach = tuple(
        (x.shape[1 + a] + sum(node.attrs["padding"][a]) - node.attrs["stride"][a] * (dy.shape[1 + a] - 1) - 1)
        // node.attrs["dilation"][a]
        + 1
        for a in (0, 1)
    )
    if reach != tuple(kernel):
        bounds = [_whole(sheet, 0, 0), _whole(sheet, *kernel), _whole(sheet, 2, 3)]
        made = sheet.emit("Slice", [made, *bounds], "slice")
    sheet.put(Value(node), made, IOHW)


def _average(sheet: Sheet, node: Node) -> None:
    """A window's mean goes back to all it saw, in equal shares: the transposed averages of rows, then of columns."""
    _, height, width, _ = node.attrs["input_shape"]
    sheet.put(Value(node), averaged(sheet, node, height, width, transposed=True), TO_FIRST)


def averaged(sheet: Sheet, node: Node, height: int, width: int, *, transposed: bool) -> str:
    """Averages over any windows, and their gradient: a matrix of rows from the left, one of columns from the right."""
    x, dtype = sheet.tensor(node.inputs[0], TO_FIRST), np.dtype(node.specs[0].dtype)
    rows, columns = (
        indicator(node.attrs[windows], size, dtype) / np.array(node.attrs[counts], dtype)[:, None]
        for windows, counts, size in (("windows_h", "counts_h", height), ("windows_w", "counts_w", width))
    )
    left, right = (rows.T, columns) if transposed else (rows, columns.T)
    made = x if left.shape == (1, 1) and left == 1 else sheet.emit("MatMul", [sheet.constant(left, "rows"), x], "pool")
    if right.shape == (1, 1) and right == 1:
        return made
    return sheet.emit("MatMul", [made, sheet.constant(right, "columns")], "pool")


def _max(sheet: Sheet, node: Node) -> None:
    """Added up where the maxima were, which the pool's other result says: places in the image's own order."""
    dy, places = node.inputs
    n, height, width, channels = node.attrs["input_shape"]
    f = Formula(sheet, dy.dtype)
    zeros = f("Expand", 0.0, _whole(sheet, n * channels * height * width))
    flat = [sheet.shaped(sheet.tensor(v, TO_FIRST), (dy.spec.size,)) for v in (places, dy)]
    made = sheet.emit("ScatterElements", [zeros, *flat], "max_pool_grad", axis=0, reduction="add")
    sheet.put(Value(node), sheet.shaped(made, (n, channels, height, width)), TO_FIRST)


def _softmax(sheet: Sheet, node: Node) -> None:
    dy, y = (sheet.tensor(v) for v in node.inputs)
    f, last = Formula(sheet, node.specs[0].dtype), (len(node.specs[0].shape) - 1,)
    sheet.put(Value(node), f("Mul", y, f("Sub", dy, f.sum(f("Mul", dy, y), last))))


def _log_softmax(sheet: Sheet, node: Node) -> None:
    dy, y = (sheet.tensor(v) for v in node.inputs)
    f, last = Formula(sheet, node.specs[0].dtype), (len(node.specs[0].shape) - 1,)
    sheet.put(Value(node), f("Sub", dy, f("Mul", f("Exp", y), f.sum(dy, last))))


def _mean(f: Formula, x: str) -> str:
    return f("ReduceMean", x, axes=(1, 3), keepdims=1)


def _normalize(sheet: Sheet, node: Node) -> None:
    f, x = Formula(sheet, node.specs[0].dtype), sheet.tensor(node.inputs[0])
    centred = f("Sub", x, _mean(f, x))
    variance = f("Add", _mean(f, f("Mul", centred, centred)), float(node.attrs["eps"]))
    deviation = f("Reciprocal", f("Sqrt", variance))
    sheet.put(Value(node, 0), f("Mul", centred, deviation))
    sheet.put(Value(node, 1), deviation)


def _normalize_grad(sheet: Sheet, node: Node) -> None:
    f, (dy, x, deviation) = Formula(sheet, node.specs[0].dtype), (sheet.tensor(v) for v in node.inputs)
    along = f("Mul", x, _mean(f, f("Mul", dy, x)))
    sheet.put(Value(node), f("Mul", deviation, f("Sub", f("Sub", dy, _mean(f, dy)), along)))


def _unslice(sheet: Sheet, node: Node) -> None:
    """Zeros between the elements, one axis after another, and then around them."""
    x, f = node.inputs[0], Formula(sheet, node.specs[0].dtype)
    way = sheet.way(node.inputs) if all(step == 1 for step in node.attrs["steps"]) else None
    made, shape = sheet.tensor(x, way), list(x.shape)
    for axis, step in enumerate(node.attrs["steps"]):
        if step == 1 or shape[axis] == 1:
            continue
        made = sheet.shaped(made, (*shape[: axis + 1], 1, *shape[axis + 1 :]))
        after = [0] * (len(shape) + 1)
        after[axis + 1] = step - 1
        made = f("Pad", made, _whole(sheet, *([0] * len(after)), *after), 0.0)
        shape[axis] *= step
        made = sheet.shaped(made, tuple(shape))
        ends = _whole(sheet, shape[axis] - step + 1)
        made = sheet.emit("Slice", [made, _whole(sheet, 0), ends, _whole(sheet, axis)], "slice")
        shape[axis] -= step - 1
    before = tuple(node.attrs["starts"])
    after = [whole - start - n for whole, start, n in zip(node.attrs["shape"], before, shape, strict=True)]
    axes = way or tuple(range(len(shape)))
    pads = [*(before[a] for a in axes), *(after[a] for a in axes)]
    if any(pads):
        made = f("Pad", made, _whole(sheet, *pads), 0.0)
    sheet.put(Value(node), made, way)


GRADIENTS: dict[str, Callable[[Sheet, Node], Any]] = {
    "avg_pool_grad": _average,
    "conv2d_input_grad": _conv_input,
    "conv2d_weight_grad": _conv_weight,
    "log_softmax_grad": _log_softmax,
    "max_pool_grad": _max,
    "normalize": _normalize,
    "normalize_grad": _normalize_grad,
    "softmax_grad": _softmax,
    "unslice": _unslice,
}
"""Row -> how it is written."""
