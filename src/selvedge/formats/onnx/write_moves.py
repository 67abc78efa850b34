"""Rows that move values and compute nothing, of any dtype: int8 stays int8."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from selvedge.errors import NotSupported
from selvedge.ir import Node, Value

from .sheet import TO_FIRST, Sheet, Way
from .write_pools import pool_attrs


def _reshape(sheet: Sheet, node: Node) -> None:
    shape = node.specs[0].shape
    given, lies = sheet.as_it_lies(node.inputs[0])
    if lies == shape:
        sheet.put(Value(node), given)
    elif len(shape) == 2 and lies[:1] == shape[:1]:
        sheet.put(Value(node), sheet.emit("Flatten", [given], "flatten"))
    else:
        sheet.put(Value(node), sheet.shaped(given, shape))


def _whole(sheet: Sheet, numbers: tuple[int, ...]) -> str:
    return sheet.constant(np.array(numbers, np.int64), "shape")


def _transpose(sheet: Sheet, node: Node) -> None:
    """Another name for what lies there: nothing moves before a reader wants it otherwise."""
    x, perm = node.inputs[0], tuple(node.attrs["perm"])
    if x not in sheet.lies:
        sheet.put(x, sheet.tensor(x))
    for way, name in sheet.lies[x].items():
        turned = tuple(perm.index(a) for a in (way or range(len(perm))))
        sheet.put(Value(node), name, None if turned == tuple(range(len(perm))) else turned)


def _concat(sheet: Sheet, node: Node) -> None:
    way = sheet.way(node.inputs)
    parts = [sheet.tensor(v, way) for v in node.inputs]
    made = sheet.emit("Concat", parts, "concat", axis=_axis(node.attrs["axis"], way))
    sheet.put(Value(node), made, way)


def _axis(axis: int, way: Way) -> int:
    return way.index(axis) if way else axis


def _ordered(numbers: tuple[int, ...], way: Way) -> tuple[int, ...]:
    """What is said of each axis, in the order in which the axes lie."""
    return tuple(numbers[a] for a in way) if way else tuple(numbers)


def _pad(sheet: Sheet, node: Node) -> None:
    x, way = node.inputs[0], sheet.way(node.inputs)
    pads = _ordered(node.attrs["before"], way) + _ordered(node.attrs["after"], way)
    value = sheet.constant(np.array(node.attrs["value"], x.dtype), "pad")
    made = sheet.emit("Pad", [sheet.tensor(x, way), _whole(sheet, pads), value], "pad", mode="constant")
    sheet.put(Value(node), made, way)


def _slice(sheet: Sheet, node: Node) -> None:
    way = sheet.way(node.inputs)
    starts, stops, steps = (_ordered(node.attrs[field], way) for field in ("starts", "stops", "steps"))
    axes = tuple(range(len(starts)))
    bounds = [_whole(sheet, numbers) for numbers in (starts, stops, axes, steps)]
    sheet.put(Value(node), sheet.emit("Slice", [sheet.tensor(node.inputs[0], way), *bounds], "slice"), way)


def _nearest(sheet: Sheet, node: Node) -> None:
    way = sheet.way(node.inputs)
    made = sheet.tensor(node.inputs[0], way)
    for axis, field in ((1, "rows"), (2, "columns")):
        made = sheet.emit("Gather", [made, _whole(sheet, node.attrs[field])], "nearest", axis=_axis(axis, way))
    sheet.put(Value(node), made, way)


def _max_pool(sheet: Sheet, node: Node) -> None:
    made = sheet.emit("MaxPool", [sheet.tensor(node.inputs[0], TO_FIRST)], "max_pool", **pool_attrs(node))
    sheet.put(Value(node), made, TO_FIRST)
    if Value(node, 1) in sheet.read:  # of the gradient: where the maxima were, as places in the image
        places = sheet.name("places")
        sheet.nodes[-1].output.append(places)
        sheet.put(Value(node, 1), places, TO_FIRST)


def _broadcast(sheet: Sheet, node: Node) -> None:
    x, shape = node.inputs[0], node.specs[0].shape
    if x.dtype not in ("float32", "float64", "int32", "bool"):
        raise NotSupported(f"broadcast of {x.dtype}", node.where, "write it for real numbers")
    sheet.put(Value(node), sheet.emit("Expand", [sheet.tensor(x), _whole(sheet, shape)], "broadcast"))


def _part(sheet: Sheet, node: Node) -> None:
    way = sheet.way(node.inputs[:1])
    axis = _whole(sheet, (_axis(node.attrs["axis"], way),))
    bounds = [_whole(sheet, (0,)), _whole(sheet, (node.attrs["count"],)), axis]
    sheet.put(Value(node), sheet.emit("Slice", [sheet.tensor(node.inputs[0], way), *bounds], "part"), way)


def _with_part(sheet: Sheet, node: Node) -> None:
    new, old = node.inputs
    axis, extent = node.attrs["axis"], old.shape[node.attrs["axis"]]
    way = sheet.way((old,))
    at = _axis(axis, way)
    bounds = [_whole(sheet, (new.shape[axis],)), _whole(sheet, (extent,)), _whole(sheet, (at,))]
    rest = sheet.emit("Slice", [sheet.tensor(old, way), *bounds], "rest")
    sheet.put(Value(node), sheet.emit("Concat", [sheet.tensor(new, way), rest], "with_part", axis=at), way)


MOVES: dict[str, Callable[[Sheet, Node], Any]] = {
    "broadcast": _broadcast,
    "concat": _concat,
    "max_pool": _max_pool,
    "nearest": _nearest,
    "pad": _pad,
    "part": _part,
    "reshape": _reshape,
    "slice": _slice,
    "transpose": _transpose,
    "with_part": _with_part,
}
"""Row -> how it is written."""
