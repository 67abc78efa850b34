"""Float pools and their gradients as operators.

MAX_POOL_2D does not say which element it took. Where a gradient asks, each place of a window is looked at: the first
that equals the maximum is the one, as in PyTorch. Averages over windows that are not of one size are products with the
matrices of the windows, and so are gradients of averages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from selvedge.errors import NotSupported
from selvedge.ir import Node, Spec, Value

from .geometry import Pair, Pool, kernel_of, padded_kernel_of
from .model import Option
from .write_gradients import spread
from .write_int8 import pooled
from .write_pointwise import chosen
from .writing import Rule, Writing

LOWEST = float(np.finfo(np.float32).min)


def _windows(node: Node) -> tuple[Any, Any]:
    return node.attrs["windows_h"], node.attrs["windows_w"]


def _options(pool: Pool) -> dict[str, Option]:
    (kh, kw), (sh, sw), padding = pool
    return {"kernel_h": kh, "kernel_w": kw, "stride_h": sh, "stride_w": sw, "padding": padding}


def _padded_pool(node: Node, extents: Sequence[int]) -> tuple[Pool, tuple[Pair, ...]]:
    """A "valid" pool over a padded image. Raises where the windows have no kernel and stride in common."""
    found = padded_kernel_of(extents, _windows(node))
    if found is None:
        raise NotSupported(f"{node.op} of unequal windows in a .tflite file", node.where, "pool by equal windows")
    return found


def _max_pool(w: Writing, node: Node) -> int | tuple[int, int]:
    if node.specs[0].dtype == "int8":
        return pooled(w, node)
    x, shape = node.inputs[0], node.specs[0].shape
    place, pool, pads = w.of(x), kernel_of(x.shape[1:3], _windows(node)), None
    if pool is None:
        pool, pads = _padded_pool(node, x.shape[1:3])
        y = w.floats("MAX_POOL_2D", (w.padded(place, ((0, 0), *pads, (0, 0)), LOWEST),), shape, node, **_options(pool))
    else:
        y = w.floats("MAX_POOL_2D", (place,), shape, node, **_options(pool))
    if Value(node, 1) not in w.read:
        return y
    return y, _index(w, node, place, y)


def _index(w: Writing, node: Node, place: int, y: int) -> int:
    """The number of the place in its window, as float32."""
    pool, pads = _padded_pool(node, w.shape(place)[1:3])
    image = w.padded(place, ((0, 0), *pads, (0, 0)), LOWEST)
    index = w.zeros_like(y)
    for number, tap in reversed(list(_taps(w, image, pool, w.shape(y)))):
        hit = w.operator("EQUAL", (tap, y), Spec(w.shape(y), "bool"))
        index = chosen(w, hit, _all(w, number, w.shape(y)), index)
    return index


def _all(w: Writing, number: float, shape: tuple[int, ...]) -> int:
    """``number`` everywhere."""
    return w.floats("FILL", (w.numbers(shape), w.real(number)), shape)


def _taps(w: Writing, image: int, pool: Pool, shape: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(number, what each window has at that place)."""
    (kh, kw), (sh, sw), _ = pool
    n, h, width, c = shape
    for i in range(kh):
        for j in range(kw):
            stops = (n, i + (h - 1) * sh + 1, j + (width - 1) * sw + 1, c)
            yield i * kw + j, w.cut(image, (0, i, j, 0), stops, (1, sh, sw, 1))


def _max_pool_grad(w: Writing, node: Node) -> int:
    """The sum over the places of a window of what each sends back."""
    dy, index = map(w.of, node.inputs)
    shape = node.attrs["input_shape"]
    ((kh, kw), stride, _), pads = _padded_pool(node, shape[1:3])
    whole = (shape[1] + sum(pads[0]), shape[2] + sum(pads[1]))
    total = None
    for i in range(kh):
        for j in range(kw):
            hit = w.operator("EQUAL", (index, _all(w, i * kw + j, w.shape(dy))), Spec(w.shape(dy), "bool"))
            part = spread(w, chosen(w, hit, dy, w.zeros_like(dy)), stride, (i, j), whole)
            total = part if total is None else w.like("ADD", total, part)
    assert total is not None, "a window has a place"
    (top, _), (left, _) = pads
    return w.cut(total, (0, top, left, 0), (shape[0], top + shape[1], left + shape[2], shape[3]), node=node)


def _average_pool(w: Writing, node: Node) -> int:
    x, shape = node.inputs[0], node.specs[0].shape
    place, seen = w.of(x), tuple(tuple(len(range(*window)) for window in axis) for axis in _windows(node))
    if seen == (node.attrs["counts_h"], node.attrs["counts_w"]):
        if shape[1:3] == (1, 1) and seen == ((x.shape[1],), (x.shape[2],)):
            return w.floats("MEAN", (place, w.numbers([1, 2])), shape, node, keep_dims=True)
        pool = kernel_of(x.shape[1:3], _windows(node))
        if pool is not None:
            return w.floats("AVERAGE_POOL_2D", (place,), shape, node, **_options(pool))
    rows, columns = _matrices(node, x.shape)
    return _between(w, place, rows, columns, node)


def _average_pool_grad(w: Writing, node: Node) -> int:
    rows, columns = _matrices(node, node.attrs["input_shape"])
    dy, shape = w.of(node.inputs[0]), node.specs[0].shape
    if w.shape(dy)[1:3] == (1, 1):
        share = w.constant((rows.T @ columns).reshape(1, *shape[1:3], 1))
        return w.floats("MUL", (dy, share), shape, node)
    return _between(w, dy, np.ascontiguousarray(rows.T), np.ascontiguousarray(columns.T), node)


def _matrices(node: Node, image: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """[results, pixels] of rows and of columns: what each pixel gives to each mean."""
    made = []
    for axis, count, size in (("windows_h", "counts_h", image[1]), ("windows_w", "counts_w", image[2])):
        matrix = np.zeros((len(node.attrs[axis]), size), np.float32)
        for row, (window, divisor) in enumerate(zip(node.attrs[axis], node.attrs[count], strict=True)):
            matrix[row, slice(*window)] = np.float32(1) / np.float32(divisor)
        made.append(matrix)
    return made[0], made[1]


def _between(w: Writing, place: int, rows: np.ndarray, columns: np.ndarray, node: Node) -> int:
    """rows @ image @ columns', channel by channel."""
    n, height, width, c = w.shape(place)
    high, wide = len(rows), len(columns)
    lines = w.reshaped(place, (n, height, width * c))
    made = w.floats("BATCH_MATMUL", (w.constant(np.tile(rows, (n, 1, 1))), lines), (n, high, width * c))
    pixels = w.reshaped(made, (n * high, width, c))
    along = w.constant(np.tile(columns, (n * high, 1, 1)))
    return w.reshaped(w.floats("BATCH_MATMUL", (along, pixels), (n * high, wide, c)), (n, high, wide, c), node)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "avg_pool": _average_pool,
        "avg_pool_grad": _average_pool_grad,
        "max_pool": _max_pool,
        "max_pool_grad": _max_pool_grad,
    }
)
