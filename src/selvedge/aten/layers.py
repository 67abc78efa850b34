"""Convolutions, products and pools."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..ir import Node, Value
from .sheet import NCHW, OIHW, Row, Sheet

Pads = tuple[tuple[int, int], tuple[int, int]]


def even(padding: Pads) -> bool:
    return all(before == behind for before, behind in padding)


def padded(x: Tensor, padding: Pads, value: float = 0.0) -> Tensor:
    """NCHW."""
    (top, bottom), (left, right) = padding
    return F.pad(x, (left, right, top, bottom), value=value) if any((top, bottom, left, right)) else x


def convolved(x: Tensor, w: Tensor, bias: Tensor | None, attrs: Any) -> Tensor:
    """NCHW by OIHW."""
    padding = attrs["padding"]
    inside = [p[0] for p in padding] if even(padding) else [0, 0]
    given = x if even(padding) else padded(x, padding)
    return F.conv2d(given, w, bias, list(attrs["stride"]), inside, list(attrs["dilation"]), attrs["groups"])


def _conv(sheet: Sheet, node: Node) -> None:
    x, w = sheet.of(node.inputs[0], NCHW), sheet.of(node.inputs[1], OIHW)
    sheet.put(Value(node), convolved(x, w, None, node.attrs), NCHW)


def _backward(dy: Tensor, x: Tensor, w: Tensor, attrs: Any, which: int) -> Tensor:
    """The gradient of x (0) or of w (1). Only the shape of that one is read."""
    padding = attrs["padding"]
    inside = [p[0] for p in padding] if even(padding) else [0, 0]
    made = torch.ops.aten.convolution_backward(
        dy, x, w, None, list(attrs["stride"]), inside, list(attrs["dilation"]), False, [0, 0], attrs["groups"],
        [which == 0, which == 1, False],
    )[which]  # fmt: skip
    assert isinstance(made, Tensor)
    return made


def _input_grad(sheet: Sheet, node: Node) -> None:
    dy, w = sheet.of(node.inputs[0], NCHW), sheet.of(node.inputs[1], OIHW)
    n, height, width, channels = node.attrs["input_shape"]
    (top, bottom), (left, right) = node.attrs["padding"]
    if even(node.attrs["padding"]):
        made = _backward(dy, dy.new_zeros((n, channels, height, width)), w, node.attrs, 0)
    else:
        whole = dy.new_zeros((n, channels, height + top + bottom, width + left + right))
        made = _backward(dy, whole, w, node.attrs, 0)[:, :, top : top + height, left : left + width]
    sheet.put(Value(node), made, NCHW)


def _weight_grad(sheet: Sheet, node: Node) -> None:
    x, dy = sheet.of(node.inputs[0], NCHW), sheet.of(node.inputs[1], NCHW)
    given = x if even(node.attrs["padding"]) else padded(x, node.attrs["padding"])
    kh, kw, per_group, outs = node.specs[0].shape
    made = _backward(dy, given, dy.new_zeros((outs, per_group, kh, kw)), node.attrs, 1)
    sheet.put(Value(node), made, OIHW)


def _matmul(sheet: Sheet, node: Node) -> None:
    given = []
    for value, turned in zip(node.inputs, (node.attrs["trans_a"], node.attrs["trans_b"]), strict=True):
        rank = len(value.shape)
        given.append(sheet.of(value, (*range(rank - 2), rank - 1, rank - 2) if turned else None))
    sheet.put(Value(node), torch.matmul(*given) if len(node.specs[0].shape) > 2 else torch.mm(*given))


# Pools


def _indicators(attrs: Any, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """[rows, height] and [columns, width]: the share of each in a window's mean."""
    found = []
    for windows, counts, size in (("windows_h", "counts_h", height), ("windows_w", "counts_w", width)):
        matrix = np.zeros((len(attrs[windows]), size), np.float32)
        for row, (window, count) in enumerate(zip(attrs[windows], attrs[counts], strict=True)):
            matrix[row, slice(*window)] = 1 / count
        found.append(matrix)
    return found[0], found[1]


def _sees_all(attrs: Any, height: int, width: int) -> bool:
    return bool(attrs["windows_h"] == ((0, height, 1),) and attrs["windows_w"] == ((0, width, 1),))


def _divisor(attrs: Any) -> int:
    return int(attrs["counts_h"][0] * attrs["counts_w"][0])


def mean_of_windows(x: Tensor, attrs: Any, sheet: Sheet) -> Tensor:
    """NCHW to NCHW."""
    height, width = x.shape[2:]
    if _sees_all(attrs, height, width):
        mean = x.mean((2, 3), keepdim=True)
        return mean if _divisor(attrs) == height * width else mean * (height * width / _divisor(attrs))
    tiles = _tiles(attrs, height, width)
    if tiles is not None:
        return F.avg_pool2d(x, tiles)
    rows, columns = (sheet.constant(m) for m in _indicators(attrs, height, width))
    return torch.matmul(torch.matmul(rows.to(x.dtype), x), columns.to(x.dtype).t())


def _tiles(attrs: Any, height: int, width: int) -> list[int] | None:
    """The kernel of a pool of windows side by side that leaves nothing out or over."""
    sizes = []
    for windows, counts, size in (("windows_h", "counts_h", height), ("windows_w", "counts_w", width)):
        n = len(attrs[windows])
        step = size // n
        if attrs[windows] != tuple((i * step, i * step + step, 1) for i in range(n)) or attrs[counts] != (step,) * n:
            return None
        sizes.append(step)
    return sizes


def _avg_pool(sheet: Sheet, node: Node) -> None:
    sheet.put(Value(node), mean_of_windows(sheet.of(node.inputs[0], NCHW), node.attrs, sheet), NCHW)


def _avg_pool_grad(sheet: Sheet, node: Node) -> None:
    dy = sheet.of(node.inputs[0], NCHW)
    n, height, width, channels = node.attrs["input_shape"]
    if _sees_all(node.attrs, height, width):
        made = (dy * (1 / _divisor(node.attrs))).expand(n, channels, height, width)
    else:
        rows, columns = (sheet.constant(m).to(dy.dtype) for m in _indicators(node.attrs, height, width))
        made = torch.matmul(torch.matmul(rows.t(), dy), columns)
    sheet.put(Value(node), made, NCHW)


LAYERS: dict[str, Row] = {
    "avg_pool": _avg_pool,
    "avg_pool_grad": _avg_pool_grad,
    "conv2d": _conv,
    "conv2d_input_grad": _input_grad,
    "conv2d_weight_grad": _weight_grad,
    "matmul": _matmul,
}
