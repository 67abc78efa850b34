"""Rows that move elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from tvm import relax, te
from tvm import tirx as tir

from selvedge.ir import Node, Value

from .sheet import Row, Sheet, at, elements, number


def _plain(made: Callable[[Any, Node], Any]) -> Row:
    """A Relax operator on the node's one input."""

    def row(sheet: Sheet, node: Node) -> None:
        sheet.put(Value(node), sheet.builder.emit(made(sheet.of(node.inputs[0]), node)))

    return row


def _slice(sheet: Sheet, node: Node) -> None:
    starts, steps = node.attrs["starts"], node.attrs["steps"]

    def body(x: Any) -> Any:
        return elements(
            node.specs[0].shape, lambda *i: x(*(a + j * s for a, j, s in zip(starts, i, steps, strict=True)))
        )

    sheet.compute_values(node, body)


def _pad(sheet: Sheet, node: Node) -> None:
    before, sizes = node.attrs["before"], node.inputs[0].shape

    def body(x: Any) -> Any:
        edge = number(node.attrs["value"], x.dtype)

        def element(*i: Any) -> Any:
            place = [j - b for j, b in zip(i, before, strict=True)]
            bounds = [c for j, n, whole in zip(place, sizes, node.specs[0].shape, strict=True) if n != whole
                      for c in (j >= 0, j < n)]  # fmt: skip
            return tir.if_then_else(tir.all(*bounds), x(*place), edge) if bounds else x(*place)

        return elements(node.specs[0].shape, element)

    sheet.compute_values(node, body)


def _concat(sheet: Sheet, node: Node) -> None:
    made = relax.op.concat([sheet.of(v) for v in node.inputs], node.attrs["axis"])
    sheet.put(Value(node), sheet.builder.emit(made))


def _broadcast(sheet: Sheet, node: Node) -> None:
    sheet.compute_values(node, lambda x: elements(node.specs[0].shape, lambda *i: at(x, i)))


def _take(sheet: Sheet, node: Node) -> None:
    """An index out of range gives NaN, which no step is made of."""
    (x, index), ignored = node.inputs, node.attrs.get("ignored")
    rows, blocks = x.shape[1], index.shape[0]

    def body(tensor: Any, table: Any) -> Any:
        def element(a: Any, n: Any, c: Any) -> Any:
            i = table(a if blocks > 1 else 0, n)
            found = tir.if_then_else(tir.all(i >= 0, i < rows), tensor(a, i, c), tir.sqrt(tir.const(-1, tensor.dtype)))
            return found if ignored is None else tir.if_then_else(i == ignored, number(0, tensor.dtype), found)

        return elements(node.specs[0].shape, element)

    sheet.compute_values(node, body)


def _resample(sheet: Sheet, node: Node) -> None:
    starts = np.array(node.attrs["starts"], np.int32)
    longest = int(np.diff(starts).max(initial=0))
    dtype = node.specs[0].dtype
    if not longest:
        sheet.compute(node, lambda x: elements(node.specs[0].shape, lambda *i: number(0, dtype)),
                      sheet.of(node.inputs[0]))  # fmt: skip
        return
    index = sheet.constant(np.array(node.attrs["index"], np.int32))
    weights = [sheet.constant(np.array(node.attrs["weights"], dtype))] if node.attrs["weights"] else []
    last = len(node.attrs["index"]) - 1

    def body(x: Any, first: Any, table: Any, *factors: Any) -> Any:
        t = te.reduce_axis((0, longest), name="t")

        def element(a: Any, i: Any, c: Any) -> Any:
            term = first(i) + t
            place = tir.min(term, last)
            seen = x(a, table(place), c)
            seen = seen * factors[0](place) if factors else seen
            return te.sum(tir.if_then_else(term < first(i + 1), seen, number(0, dtype)), axis=t)

        return elements(node.specs[0].shape, element)

    sheet.compute(node, body, sheet.of(node.inputs[0]), sheet.constant(starts), index, *weights)


def _cumsum(sheet: Sheet, node: Node) -> None:
    x = sheet.of(node.inputs[0])
    turned = node.attrs["reverse"]
    made = relax.op.cumsum(relax.op.flip(x, 1) if turned else x, axis=1)
    sheet.put(Value(node), sheet.builder.emit(relax.op.flip(made, 1) if turned else made))


def _nearest(sheet: Sheet, node: Node) -> None:
    rows, columns = (sheet.constant(np.array(node.attrs[f], np.int32)) for f in ("rows", "columns"))

    def body(x: Any, down: Any, across: Any) -> Any:
        return elements(node.specs[0].shape, lambda n, i, j, c: x(n, down(i), across(j), c))

    sheet.compute(node, body, sheet.of(node.inputs[0]), rows, columns)


MOVES: dict[str, Row] = {
    "broadcast": _broadcast,
    "concat": _concat,
    "cumsum": _cumsum,
    "nearest": _nearest,
    "pad": _pad,
    "resample": _resample,
    "reshape": _plain(lambda x, node: relax.op.reshape(x, node.specs[0].shape)),
    "slice": _slice,
    "take": _take,
    "transpose": _plain(lambda x, node: relax.op.permute_dims(x, node.attrs["perm"])),
}
