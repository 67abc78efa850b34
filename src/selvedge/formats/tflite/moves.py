"""Rules of the operators that only move values, int8 or float32: scale and zero point stay."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from selvedge.ir import apply, reshape, transpose
from selvedge.ir.graph import Value

from .model import Tensor
from .node import Node


def _same(node: Node, x: Tensor) -> None:
    if x.dtype != "float32":
        node.require(
            node.quant(x) == node.quant(node.y), x, "scaled unlike the result", "both must have the same scale"
        )


def _reshape(node: Node) -> Value:
    x, shape, given = node.input(0), node.y.shape, node.optional(1)
    _same(node, x)
    node.require(math.prod(x.shape) == math.prod(shape), x, list(x.shape), f"it cannot become {list(shape)}")
    if given is not None:
        wanted = node.constant(given, "int32").reshape(-1).tolist()
        fits = len(wanted) == len(shape) and wanted.count(-1) <= 1
        fits = fits and all(w in (-1, s) for w, s in zip(wanted, shape, strict=False))
        node.require(fits, given, wanted, f"the result is {list(shape)}")
    return reshape(node.value(0), shape, node.where)


def _concatenate(node: Node) -> Value:
    parts = [node.input(i) for i in range(len(node.operator.inputs))]
    rank, axis = len(parts[0].shape), node.whole("axis")
    node.require(-rank <= axis < rank, parts[0], f"axis {axis}", f"from {-rank} to {rank - 1}")
    node.require(node.activation() == "none", node.y, "with an activation", "export it as an operator of its own")
    axis %= rank
    for part in parts:
        _same(node, part)
        alike = len(part.shape) == rank and all(
            n == m for a, (n, m) in enumerate(zip(part.shape, parts[0].shape, strict=False)) if a != axis
        )
        node.require(alike, part, list(part.shape), f"it must be {list(parts[0].shape)} but for axis {axis}")
    return apply("concat", *(node.value(i) for i in range(len(parts))), axis=axis, where=node.where)


def _pad(node: Node) -> Value:
    x = node.input(0)
    _same(node, x)
    amounts = node.constant(node.input(1), "int32")
    fits = amounts.shape == (len(x.shape), 2) and not (amounts < 0).any()
    node.require(fits, node.input(1), amounts.tolist()[:8], "two amounts >= 0 for each axis")
    before, after = (tuple(int(n) for n in column) for column in amounts.T)
    zero = 0 if x.dtype == "float32" else node.quant(x).zero_point[0]  # the real number 0
    return apply("pad", node.value(0), before=before, after=after, value=zero, where=node.where)


def _transpose(node: Node) -> Value:
    x = node.input(0)
    _same(node, x)
    order = tuple(int(a) for a in node.constant(node.input(1), "int32").reshape(-1))
    node.require(sorted(order) == list(range(len(x.shape))), node.input(1), list(order), "each axis once")
    return transpose(node.value(0), order, node.where)


def _resize(node: Node) -> Value:
    """Sources: ``resize_nearest_neighbor.cc``, ``internal/reference/resize_nearest_neighbor.h``; in float32."""
    x = node.input(0)
    _same(node, x)
    node.rank(x, 4)
    size = node.constant(node.input(1), "int32").reshape(-1).tolist()
    shape = (x.shape[0], *size, x.shape[3])
    node.require(shape == node.y.shape, node.input(1), size, f"the result is {list(node.y.shape)}")
    corners, half = bool(node.operator.options["corners"]), bool(node.operator.options["half"])
    rows, columns = (_nearest(x.shape[1 + a], size[a], corners, half) for a in (0, 1))
    return apply("nearest", node.value(0), rows=rows, columns=columns, where=node.where)


def _nearest(before: int, after: int, corners: bool, half: bool) -> tuple[int, ...]:
    """Which of ``before`` pixels each of ``after`` is a copy of."""
    pairs = (before - 1, after - 1) if corners and after > 1 else (before, after)
    places = (np.arange(after, dtype=np.float32) + np.float32(half / 2)) * (np.float32(pairs[0]) / np.float32(pairs[1]))
    whole = np.floor(places.astype(np.float64) + 0.5) if corners else np.floor(places)
    return tuple(int(n) for n in np.clip(whole, 0, before - 1))


MOVES: dict[str, Callable[[Node], Value]] = {
    "CONCATENATION": _concatenate,
    "PAD": _pad,
    "RESHAPE": _reshape,
    "RESIZE_NEAREST_NEIGHBOR": _resize,
    "TRANSPOSE": _transpose,
}
