"""Rows found by a number, and added back to where they came from, as operators."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from selvedge.ir import Node, Spec

from .writing import Rule, Writing


def _take(w: Writing, node: Node) -> int:
    """Rows by number; zeros where the number is ignored."""
    x, index = map(w.of, node.inputs)
    shape, ignored = node.specs[0].shape, node.attrs.get("ignored")
    if ignored is not None:
        index, counts = _known(w, index, ignored)
    if w.shape(index)[0] == 1:
        found = w.float(
            "GATHER", (x, w.reshaped(index, w.shape(index)[1:])), shape, None if ignored is not None else node, axis=1
        )
    else:
        found = w.float("GATHER", (x, index), shape, None if ignored is not None else node, axis=1, batch_dims=1)
    return found if ignored is None else w.float("MUL", (found, counts), shape, node)


def _known(w: Writing, index: int, ignored: int) -> tuple[int, int]:
    """(index with 0 where it is ignored, 1 where it counts else 0 [B, N, 1])."""
    spec = Spec(w.shape(index), "bool")
    same = w.constant(np.full(spec.shape, ignored, np.int32))
    counts = w.operator("NOT_EQUAL", (index, same), spec)
    whole = w.operator("CAST", (counts,), Spec(spec.shape, "int32"))
    real = w.float("CAST", (counts,), spec.shape)
    return w.operator("MUL", (index, whole), Spec(spec.shape, "int32")), w.reshaped(real, (*spec.shape, 1))


def _scatter(w: Writing, node: Node) -> int:
    """Summed where a number comes again."""
    dy, index = map(w.of, node.inputs)
    return _scattered(w, node, dy, index, node.attrs["rows"], node)


def _scatter_onto(w: Writing, node: Node) -> int:
    x, dy, index = map(w.of, node.inputs)
    return w.like("ADD", x, _scattered(w, node, dy, index, w.shape(x)[1], None), node=node)


def _scattered(w: Writing, node: Node, dy: int, index: int, rows: int, made: Node | None) -> int:
    a, n, c = w.shape(dy)
    if node.attrs["skip"] != -1:
        index, counts = _known(w, index, node.attrs["skip"])
        dy = w.float("MUL", (dy, counts), (a, n, c))
    if a > 1:  # block by block behind each other
        first = w.constant((np.arange(a, dtype=np.int32) * rows).reshape(a, 1))
        index = w.operator("ADD", (index, first), Spec((a, n), "int32"))
    inputs = (w.reshaped(index, (a * n, 1)), w.reshaped(dy, (a * n, c)), w.numbers((a * rows, c)))
    return w.reshaped(w.float("SCATTER_ND", inputs, (a * rows, c)), (a, rows, c), made)


RULES: Mapping[str, Rule] = MappingProxyType({"scatter_add": _scatter, "scatter_onto": _scatter_onto, "take": _take})
