"""Rows found by a number and added back to where they came from, and sums along an axis, as operators."""

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
        found = w.floats(
            "GATHER", (x, w.reshaped(index, w.shape(index)[1:])), shape, None if ignored is not None else node, axis=1
        )
    else:
        found = w.floats("GATHER", (x, index), shape, None if ignored is not None else node, axis=1, batch_dims=1)
    return found if ignored is None else w.floats("MUL", (found, counts), shape, node)


def _known(w: Writing, index: int, ignored: int) -> tuple[int, int]:
    """(index with 0 where it is ignored, 1 where it counts else 0 [B, N, 1])."""
    spec = Spec(w.shape(index), "bool")
    same = w.constant(np.full(spec.shape, ignored, np.int32))
    counts = w.operator("NOT_EQUAL", (index, same), spec)
    whole = w.operator("CAST", (counts,), Spec(spec.shape, "int32"))
    real = w.floats("CAST", (counts,), spec.shape)
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
        dy = w.floats("MUL", (dy, counts), (a, n, c))
    if a > 1:  # block by block behind each other
        first = w.constant((np.arange(a, dtype=np.int32) * rows).reshape(a, 1))
        index = w.operator("ADD", (index, first), Spec((a, n), "int32"))
    inputs = (w.reshaped(index, (a * n, 1)), w.reshaped(dy, (a * n, c)), w.numbers((a * rows, c)))
    return w.reshaped(w.floats("SCATTER_ND", inputs, (a * rows, c)), (a, rows, c), made)


def _resample(w: Writing, node: Node) -> int:
    """A product with the table as a matrix."""
    x, (a, rows, _), at = w.of(node.inputs[0]), node.inputs[0].shape, node.attrs
    matrix = np.zeros((len(at["starts"]) - 1, rows), np.float32)
    owner = np.repeat(np.arange(len(matrix)), np.diff(at["starts"]))
    weights = np.array(at["weights"], np.float32) if at["weights"] else np.float32(1)
    np.add.at(matrix, (owner, np.array(at["index"], int)), weights)
    inputs = (w.constant(np.tile(matrix, (a, 1, 1))), x)
    return w.floats("BATCH_MATMUL", inputs, node.specs[0].shape, node)


def _cumsum(w: Writing, node: Node) -> int:
    return w.like("CUMSUM", w.of(node.inputs[0]), w.numbers(1), node=node, reverse=node.attrs["reverse"])


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "cumsum": _cumsum,
        "resample": _resample,
        "scatter_add": _scatter,
        "scatter_onto": _scatter_onto,
        "take": _take,
    }
)
