"""Rows found by a number: taken, and added back to where they came from.

``index`` [B, N] holds int32 in 0..R-1; B is A, or 1 where every one of the A blocks is indexed alike. An embedding is
``take`` with A = 1; PyTorch's ``gather`` is ``take`` with C = 1. An index that is ``ignored`` (by default none is), in
range or not, gives zeros and gets nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..graph import Node, Spec, Value
from ..op import Arrays, Attrs, Cost, Op, apply, register
from ..rules import arity, attr, float_dtype, rank, require

Grads = Sequence[Value | None]


def _index(op: str, index: Spec, blocks: int) -> int:
    """How many rows ``index`` names."""
    rank(op, "index", index, 2)
    require(index.dtype == "int32", op, "index dtype", index.dtype, "must be int32")
    require(index.shape[0] in (1, blocks), op, "index shape", index.shape, f"must begin with 1 or {blocks}")
    return index.shape[1]


def _within(op: str, index: np.ndarray, rows: int, ignored: int | None = None) -> None:
    index = index if ignored is None else index[index != ignored]
    if index.size and not (index.min() >= 0 and index.max() < rows):
        raise ValueError(f"{op}: indices are {index.min()}..{index.max()}; must lie in 0..{rows - 1}")


def _blocks(index: np.ndarray, blocks: int) -> Iterator[tuple[int, np.ndarray]]:
    for a in range(blocks):
        yield a, index[a if len(index) > 1 else 0]


def _ignored(op: str, attrs: Attrs) -> int | None:
    value = attrs.get("ignored")
    require(value is None or isinstance(value, int), op, "ignored", value, "must be an integer")
    return None if value is None else int(value)


# take(x [A, R, C], index [B, N]){ignored} -> [A, N, C]


def _take_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("take", specs, 2)
    rank("take", "x", specs[0], 3)
    a, _, c = specs[0].shape
    _ignored("take", attrs)
    return (Spec((a, _index("take", specs[1], a), c), float_dtype("take", specs[:1])),)


def _take(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    x, index = arrays
    ignored = attrs.get("ignored")
    _within("take", index, x.shape[1], ignored)
    if ignored is None:
        return (np.stack([x[a, at] for a, at in _blocks(index, len(x))]),)
    kept = index != ignored
    found = [x[a, at] for a, at in _blocks(np.where(kept, index, 0), len(x))]
    return (np.where(np.broadcast_to(kept, (len(x), index.shape[1]))[..., None], np.stack(found), 0).astype(x.dtype),)


def _take_gradient(node: Node, grads: Grads, needed: Sequence[bool]) -> Grads:
    x, index = node.inputs
    ignored = node.attrs.get("ignored")
    attrs = {"skip": node.attrs.get("skip", -1)} if ignored is None else {"skip": ignored, "ignored": ignored}
    return [grads[0] and apply("scatter_add", grads[0], index, rows=x.shape[1], **attrs), None]


# scatter_add(dy [A, N, C], index [B, N]){rows, skip} -> [A, R, C]: row r sums what index calls r; skip gets none


def _scatter_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    op = "scatter_add"
    arity(op, specs, 2)
    rank(op, "dy", specs[0], 3)
    a, n, c = specs[0].shape
    rows, skip = attr(op, attrs, "rows"), attr(op, attrs, "skip")
    require(isinstance(rows, int) and rows >= 1, op, "rows", rows, "must be an integer >= 1")
    known = isinstance(skip, int) and (-1 <= skip < rows or skip == _ignored(op, attrs))
    require(known, op, "skip", skip, f"must lie in -1..{rows - 1}, or be ignored")
    count = _index(op, specs[1], a)
    require(count == n, op, "index shape", specs[1].shape, f"must name {n} rows")
    return (Spec((a, rows, c), float_dtype(op, specs[:1])),)


def _added(
    op: str, into: np.ndarray, dy: np.ndarray, index: np.ndarray, skip: int, ignored: int | None = None
) -> np.ndarray:
    _within(op, index, into.shape[1], ignored)
    for a, at in _blocks(index, len(dy)):
        kept = at != skip
        np.add.at(into[a], at[kept], dy[a, kept])
    return into


def _scatter(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    dy, index = arrays
    zeros = np.zeros((dy.shape[0], attrs["rows"], dy.shape[2]), dy.dtype)
    return (_added("scatter_add", zeros, dy, index, attrs["skip"], attrs.get("ignored")),)


def _taken(op: str, dy: Value, index: Value, skip: int, ignored: int | None = None) -> Value:
    """The gradient of what was scattered."""
    if ignored is not None and skip == ignored:
        return apply("take", dy, index, ignored=ignored)
    require(skip == -1, op, "skip", skip, "must be -1 where the rows that are added have a gradient")
    return apply("take", dy, index)


def _scatter_gradient(node: Node, grads: Grads, needed: Sequence[bool]) -> Grads:
    return [
        grads[0] and _taken("scatter_add", grads[0], node.inputs[1], node.attrs["skip"], node.attrs.get("ignored")),
        None,
    ]


# scatter_onto(x [A, R, C], dy [A, N, C], index [B, N]){skip} -> x + scatter_add(dy, index)


def _onto_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    op = "scatter_onto"
    arity(op, specs, 3)
    rank(op, "x", specs[0], 3)
    rows = {"rows": specs[0].shape[1], "skip": attr(op, attrs, "skip")}
    (made,) = _scatter_infer(specs[1:], rows)
    require(made == specs[0], op, "x", specs[0], f"must be {made}")
    return (made,)


def _onto(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    x, dy, index = arrays
    return (_added("scatter_onto", x.copy(), dy, index, attrs["skip"]),)


def _onto_gradient(node: Node, grads: Grads, needed: Sequence[bool]) -> Grads:
    dy = grads[0]
    if dy is None:
        return [None, None, None]
    return [dy, _taken("scatter_onto", dy, node.inputs[2], node.attrs["skip"]) if needed[1] else None, None]


def _moved(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    return Cost()


def _summed(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    """One addition for each number that is scattered."""
    return Cost(ops=ins[-2].size)


register(Op("take", _take_infer, _take, _take_gradient, _moved))
register(Op("scatter_add", _scatter_infer, _scatter, _scatter_gradient, _summed))
register(Op("scatter_onto", _onto_infer, _onto, _onto_gradient, _summed))
