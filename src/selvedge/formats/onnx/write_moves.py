"""Rows that move values and compute nothing, of any dtype: int8 stays int8."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from selvedge.errors import NotSupported
from selvedge.ir import Node, Value

from .sheet import TO_FIRST, TO_LAST, Sheet
from .write_pools import pool_attrs


def _reshape(sheet: Sheet, node: Node) -> None:
    x, shape = node.inputs[0], node.specs[0].shape
    if x in sheet.alike:
        given, lies = sheet.alike[x]
    else:
        # Of one pixel, NCHW is in the same order as NHWC.
        pixel = (x, True) in sheet.lies and (x, False) not in sheet.lies and x.shape[1] == x.shape[2] == 1
        given, lies = sheet.tensor(x, pixel), x.shape
    if len(shape) == 2 and lies[:1] == shape[:1]:
        sheet.put(Value(node), sheet.emit("Flatten", [given], "flatten"))
    else:
        sheet.put(Value(node), sheet.shaped(given, shape))


def _whole(sheet: Sheet, numbers: tuple[int, ...]) -> str:
    return sheet.constant(np.array(numbers, np.int64), "shape")


def _transpose(sheet: Sheet, node: Node) -> None:
    """Between NHWC and NCHW it is another name for what lies there: nothing moves. Nor where but axes of one element
    change their places."""
    x, perm = node.inputs[0], tuple(node.attrs["perm"])
    if perm == TO_LAST and (x, False) in sheet.lies:
        sheet.put(Value(node), sheet.tensor(x), True)
    elif perm == TO_FIRST:
        sheet.put(Value(node), sheet.tensor(x, True))
    else:
        first = (x, True) in sheet.lies and (x, False) not in sheet.lies
        perm, given = tuple(TO_LAST[a] for a in perm) if first else perm, sheet.tensor(x, first)
        shape = tuple(x.shape[a] for a in TO_FIRST) if first else x.shape
        moved = [a for a in perm if shape[a] > 1]
        if moved == sorted(moved):
            sheet.alike[Value(node)] = given, shape
        else:
            sheet.put(Value(node), sheet.emit("Transpose", [given], "transpose", perm=perm))


def _concat(sheet: Sheet, node: Node) -> None:
    first = sheet.first(node.inputs)
    parts = [sheet.tensor(v, first) for v in node.inputs]
    made = sheet.emit("Concat", parts, "concat", axis=_axis(node.attrs["axis"], first))
    sheet.put(Value(node), made, first)


def _axis(axis: int, first: bool) -> int:
    return TO_FIRST.index(axis) if first else axis


def _ordered(numbers: tuple[int, ...], first: bool) -> tuple[int, ...]:
    """What is said of each axis, in the order in which the axes lie."""
    return tuple(numbers[a] for a in TO_FIRST) if first else tuple(numbers)


def _pad(sheet: Sheet, node: Node) -> None:
    x, first = node.inputs[0], sheet.first(node.inputs)
    pads = _ordered(node.attrs["before"], first) + _ordered(node.attrs["after"], first)
    value = sheet.constant(np.array(node.attrs["value"], x.dtype), "pad")
    made = sheet.emit("Pad", [sheet.tensor(x, first), _whole(sheet, pads), value], "pad", mode="constant")
    sheet.put(Value(node), made, first)


def _slice(sheet: Sheet, node: Node) -> None:
    first = sheet.first(node.inputs)
    starts, stops, steps = (_ordered(node.attrs[field], first) for field in ("starts", "stops", "steps"))
    axes = tuple(range(len(starts)))
    bounds = [_whole(sheet, numbers) for numbers in (starts, stops, axes, steps)]
    sheet.put(Value(node), sheet.emit("Slice", [sheet.tensor(node.inputs[0], first), *bounds], "slice"), first)


def _nearest(sheet: Sheet, node: Node) -> None:
    first = sheet.first(node.inputs)
    made = sheet.tensor(node.inputs[0], first)
    for axis, field in ((1, "rows"), (2, "columns")):
        made = sheet.emit("Gather", [made, _whole(sheet, node.attrs[field])], "nearest", axis=_axis(axis, first))
    sheet.put(Value(node), made, first)


def _max_pool(sheet: Sheet, node: Node) -> None:
    made = sheet.emit("MaxPool", [sheet.tensor(node.inputs[0], True)], "max_pool", **pool_attrs(node))
    sheet.put(Value(node), made, True)


def _broadcast(sheet: Sheet, node: Node) -> None:
    x, shape = node.inputs[0], node.specs[0].shape
    if x.dtype not in ("float32", "float64", "int32"):
        raise NotSupported(f"broadcast of {x.dtype}", node.where, "write it for real numbers")
    sheet.put(Value(node), sheet.emit("Expand", [sheet.tensor(x), _whole(sheet, shape)], "broadcast"))


MOVES: dict[str, Callable[[Sheet, Node], Any]] = {
    "broadcast": _broadcast,
    "concat": _concat,
    "max_pool": _max_pool,
    "nearest": _nearest,
    "pad": _pad,
    "reshape": _reshape,
    "slice": _slice,
    "transpose": _transpose,
}
"""Row -> how it is written."""
