"""Maximum pools as maxima of the image seen tap by tap: see ``ops/pooling.py``. The index is a float here, which counts
the taps of a window exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..build import constant, reduce
from ..graph import Node, Value
from ..op import apply
from ..ops.along import transposed
from ..ops.pooling import Window, _longest
from .rule import Rule, add, compare, where
from .structure import along

Table = dict[str, tuple[int, ...]]


def _tap(windows: Sequence[Window], t: int) -> tuple[Table, np.ndarray]:
    """What tap ``t`` of each window reads, as a table of :func:`resample`, and whether the window is that long."""
    inside = np.array([t < len(range(*w)) for w in windows])
    index = tuple(w[0] + t * w[2] if ok else w[0] for w, ok in zip(windows, inside, strict=True))
    return {"starts": tuple(range(len(windows) + 1)), "index": index, "weights": ()}, inside


def _taps(node: Node) -> Iterator[tuple[Table, Table, np.ndarray, np.ndarray]]:
    """For each tap, in order: the tables of rows and columns, where it is inside ([1, H, W, 1]), and its position in
    each window."""
    rows, columns = node.attrs["windows_h"], node.attrs["windows_w"]
    widths = np.array([len(range(*w)) for w in columns])
    for i in range(_longest(rows)):
        down, row_ok = _tap(rows, i)
        for j in range(_longest(columns)):
            across, column_ok = _tap(columns, j)
            yield down, across, (row_ok[:, None] & column_ok)[None, :, :, None], (i * widths + j)[None, None, :, None]


def _whole(node: Node, shape: Sequence[int]) -> bool:
    """Does one window see an image of ``shape``, NHWC, all of it?"""
    return bool(node.attrs["windows_h"] == ((0, shape[1], 1),) and node.attrs["windows_w"] == ((0, shape[2], 1),))


def _positions(shape: Sequence[int], dtype: str) -> Value:
    """[1, H, W, 1]: the tap of each element where one window sees them all."""
    return constant(np.arange(shape[1] * shape[2]).reshape(1, *shape[1:3], 1), dtype)


def _max_pool(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    """The first maximum wins; a NaN wins over everything before it (but not where one window sees all)."""
    (x,) = inputs
    if _whole(node, x.shape):
        most = reduce("reduce_max", x, (1, 2), keepdims=True)
        there = where(apply("equal", x, most), apply("neg", _positions(x.shape, x.dtype)), -np.inf)
        return most, apply("neg", reduce("reduce_max", there, (1, 2), keepdims=True))
    best = index = None
    for down, across, inside, position in _taps(node):
        seen = along("resample", along("resample", x, 1, **down), 2, **across)
        if not inside.all():
            seen = where(constant(inside), seen, -np.inf)
        here = constant(np.broadcast_to(position, (1, 1, position.shape[2], 1)), x.dtype)
        if best is None or index is None:
            best, index = seen, apply("broadcast", here, shape=seen.shape)
            continue
        better = compare("greater", seen, best)
        best, index = where(better, seen, best), where(better, here, index)
        lost = compare("not_equal", seen, seen)
        best, index = where(lost, seen, best), where(lost, here, index)
    assert best is not None
    assert index is not None
    return best, index


def _max_pool_grad(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    dy, index = inputs
    _, height, width, _ = shape = node.attrs["input_shape"]
    if _whole(node, shape):
        return (where(apply("equal", index, _positions(shape, dy.dtype)), dy, 0),)
    total = None
    for down, across, inside, position in _taps(node):
        here = constant(np.broadcast_to(position, (1, 1, position.shape[2], 1)), dy.dtype)
        part = where(apply("equal", index, here), dy, 0)
        if not inside.all():
            part = where(constant(inside), part, 0)
        part = along("resample", along("resample", part, 2, **transposed(across, width)), 1, **transposed(down, height))
        total = part if total is None else add(total, part)
    assert total is not None
    return (total,)


POOLING: dict[str, Rule] = {"max_pool": _max_pool, "max_pool_grad": _max_pool_grad}
