"""Rows that move elements, and those that are another row under another name."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..build import broadcast, constant, reshape, scalar
from ..graph import Node, Value
from ..op import apply
from ..ops.along import transposed
from .rule import Rule, compare, where


def along(op: str, x: Value, axis: int, **attrs: Any) -> Value:
    """``op``, a row along the middle axis of [A, R, C], along ``axis`` of ``x``."""
    before, behind = x.shape[:axis], x.shape[axis + 1 :]
    made = apply(op, reshape(x, (prod(before), x.shape[axis], prod(behind))), **attrs)
    return reshape(made, (*before, made.shape[1], *behind))


def _slice(x: Value, axis: int, start: int, stop: int) -> Value:
    starts = tuple(start if a == axis else 0 for a in range(len(x.shape)))
    stops = tuple(stop if a == axis else n for a, n in enumerate(x.shape))
    return apply("slice", x, starts=starts, stops=stops, steps=(1,) * len(x.shape))


def _unslice(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    """Zeros between, where a step is above one, are rows of a table without entries; those around are a pad."""
    (x,), shape = inputs, node.attrs["shape"]
    for axis, step in enumerate(node.attrs["steps"]):
        count = x.shape[axis]
        if step > 1 and count > 1:
            place = tuple(range(0, (count - 1) * step + 1, step))
            table = {"starts": tuple(range(count + 1)), "index": place, "weights": ()}
            x = along("resample", x, axis, **transposed(table, (count - 1) * step + 1))
    before = tuple(node.attrs["starts"])
    after = tuple(n - b - own for n, b, own in zip(shape, before, x.shape, strict=True))
    return (apply("pad", x, before=before, after=after, value=0) if any((*before, *after)) else x,)


def _part(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    return (_slice(inputs[0], node.attrs["axis"], 0, node.attrs["count"]),)


def _with_part(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    (new, old), axis = inputs, node.attrs["axis"]
    if new.shape == old.shape:
        return (new,)
    return (apply("concat", new, _slice(old, axis, new.shape[axis], old.shape[axis]), axis=axis),)


def _zero(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    return (broadcast(scalar(0, inputs[0]), node.specs[0].shape),)


def _same(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    return (inputs[0],)


def _sparse_conv2d(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    return (apply("conv2d", *inputs, **_without_entries(node)),)


def _sparse_matmul(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    return (apply("matmul", *inputs, **{**_without_entries(node), "trans_a": False, "trans_b": False}),)


def _without_entries(node: Node) -> dict[str, Any]:
    return {name: value for name, value in node.attrs.items() if name != "entries"}


def _hits(index: Value, rows: int, dtype: str, skip: int) -> Value:
    """[B, rows, N]: 1 where element n goes to that row."""
    batches, count = index.shape
    every = constant(np.arange(rows, dtype=np.int32)[None, :, None])
    given = reshape(index, (batches, 1, count))
    hit = apply("convert", apply("equal", given, every), dtype=dtype)
    return hit if not 0 <= skip < rows else where(compare("equal", given, skip), 0, hit)


def _scatter(dy: Value, index: Value, rows: int, skip: int) -> Value:
    """A product with the matrix of zeros and ones that says what goes where."""
    hits = _hits(index, rows, dy.dtype, skip)
    if hits.shape[0] != dy.shape[0]:
        hits = broadcast(hits, (dy.shape[0], *hits.shape[1:]))
    return apply("matmul", hits, dy, trans_a=False, trans_b=False)


def _scatter_add(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    dy, index = inputs
    return (_scatter(dy, index, node.attrs["rows"], node.attrs["skip"]),)


def _scatter_onto(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    x, dy, index = inputs
    return (apply("add", x, _scatter(dy, index, x.shape[1], node.attrs["skip"])),)


STRUCTURE: dict[str, Rule] = {
    "detach": _same,
    "part": _part,
    "scatter_add": _scatter_add,
    "scatter_onto": _scatter_onto,
    "sparse_conv2d": _sparse_conv2d,
    "sparse_matmul": _sparse_matmul,
    "unslice": _unslice,
    "with_part": _with_part,
    "zero": _zero,
}
