"""Rows that move elements."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..ir import Node, Value
from .sheet import Order, Row, Sheet


def _reshape(sheet: Sheet, node: Node) -> None:
    (x,), shape = node.inputs, node.specs[0].shape
    sheet.put(Value(node), sheet.of(x).reshape(shape))


def _transpose(sheet: Sheet, node: Node) -> None:
    """No element moves: axis i of the result is axis perm[i] of what the tensor lies in."""
    (x,), perm = node.inputs, node.attrs["perm"]
    order = sheet.order((x,), len(x.shape))
    sheet.put(Value(node), sheet.of(x, order), tuple(perm.index(a) for a in order))


def _ordered(sheet: Sheet, node: Node) -> tuple[Tensor, Order]:
    order = sheet.order(node.inputs, len(node.inputs[0].shape))
    return sheet.of(node.inputs[0], order), order


def _slice(sheet: Sheet, node: Node) -> None:
    x, order = _ordered(sheet, node)
    for place, a in enumerate(order):
        start, stop, step = (node.attrs[f][a] for f in ("starts", "stops", "steps"))
        if (start, stop, step) != (0, x.shape[place], 1):
            x = torch.ops.aten.slice.Tensor(x, place, start, stop, step)
    sheet.put(Value(node), x, order)


def _pad(sheet: Sheet, node: Node) -> None:
    x, order = _ordered(sheet, node)
    widths = [n for a in reversed(order) for n in (node.attrs["before"][a], node.attrs["after"][a])]
    while len(widths) > 2 and not any(widths[-2:]):
        widths = widths[:-2]
    sheet.put(Value(node), F.pad(x, widths, value=node.attrs["value"]), order)


def _concat(sheet: Sheet, node: Node) -> None:
    order = sheet.order(node.inputs, len(node.inputs[0].shape))
    parts = [sheet.of(v, order) for v in node.inputs]
    sheet.put(Value(node), torch.cat(parts, order.index(node.attrs["axis"])), order)


def _broadcast(sheet: Sheet, node: Node) -> None:
    (x,), shape = node.inputs, node.specs[0].shape
    order = sheet.order((x,), len(shape))
    made = sheet.lifted(x, len(shape), order).expand([shape[a] for a in order])
    sheet.put(Value(node), made, order)


def _take(sheet: Sheet, node: Node) -> None:
    x, index = (sheet.of(v) for v in node.inputs)
    a, _, c = x.shape
    ignored = node.attrs.get("ignored")
    rows = index if ignored is None else torch.where(index == ignored, 0, index)
    if index.shape[0] == 1:
        made = torch.index_select(x, 1, rows.reshape(-1).long())
    else:
        made = torch.gather(x, 1, rows.long().unsqueeze(2).expand(a, rows.shape[1], c))
    if ignored is not None:
        made = torch.where((index == ignored).unsqueeze(2), 0.0, made)
    sheet.put(Value(node), made)


def _resample(sheet: Sheet, node: Node) -> None:
    """Term by term: what the table's first entry of each row says, and what its second does, ..."""
    x, starts = sheet.of(node.inputs[0]), np.array(node.attrs["starts"])
    index, weights = np.array(node.attrs["index"], np.int64), node.attrs["weights"]
    counts = np.diff(starts)
    made = None
    for t in range(counts.max(initial=0)):
        there = counts > t
        place = np.where(there, starts[:-1] + t, 0)
        part = _picked(sheet, x, index[place])
        if weights:
            factor = np.where(there, np.array(weights, np.float64)[place], 0).reshape(1, -1, 1)
            part = part * sheet.constant(factor.astype(node.specs[0].dtype))
        if not there.all():
            part = torch.where(sheet.constant(there.reshape(1, -1, 1)), part, 0.0)
        made = part if made is None else made + part
    sheet.put(Value(node), x.new_zeros(node.specs[0].shape) if made is None else made)


def _picked(sheet: Sheet, x: Tensor, rows: np.ndarray) -> Tensor:
    """Rows of [A, R, C] by number: a slice where they are evenly spaced."""
    steps = np.unique(np.diff(rows))
    if len(rows) == 1 or (len(steps) == 1 and steps[0] > 0):
        step = int(steps[0]) if len(rows) > 1 else 1
        made = torch.ops.aten.slice.Tensor(x, 1, int(rows[0]), int(rows[-1]) + 1, step)
        assert isinstance(made, Tensor)
        return made
    return torch.index_select(x, 1, sheet.constant(rows))


def _cumsum(sheet: Sheet, node: Node) -> None:
    x = sheet.of(node.inputs[0])
    made = torch.flip(torch.cumsum(torch.flip(x, (1,)), 1), (1,)) if node.attrs["reverse"] else torch.cumsum(x, 1)
    sheet.put(Value(node), made)


def _nearest(sheet: Sheet, node: Node) -> None:
    x, order = _ordered(sheet, node)
    for field, axis in (("rows", 1), ("columns", 2)):
        x = torch.index_select(x, order.index(axis), sheet.constant(np.array(node.attrs[field], np.int64)))
    sheet.put(Value(node), x, order)


MOVES: dict[str, Row] = {
    "broadcast": _broadcast,
    "concat": _concat,
    "cumsum": _cumsum,
    "nearest": _nearest,
    "pad": _pad,
    "resample": _resample,
    "reshape": _reshape,
    "slice": _slice,
    "take": _take,
    "transpose": _transpose,
}
