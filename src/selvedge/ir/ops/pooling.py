"""Pooling over explicit windows, NHWC.

``windows_h`` and ``windows_w`` hold, for each result row and column, the (start, stop, step) of the input rows
and columns it sees, clipped to the image. Stride, padding, ceil mode, dilation and adaptive pooling are all data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..graph import Node, Spec, Value
from ..op import Arrays, Attrs, Cost, Op, apply, register
from ..rules import arity, attr, float_dtype, ints, rank, refuse, require

Window = tuple[int, int, int]
AXES = (("windows_h", 1), ("windows_w", 2))


def check_windows(op: str, attrs: Attrs, image: Sequence[int]) -> None:
    """The windows lie inside an image of shape NHWC."""
    for field, axis in AXES:
        windows, size = attr(op, attrs, field), image[axis]
        require(isinstance(windows, tuple) and bool(windows), op, field, windows, "must be a tuple of windows")
        for window in windows:
            ok = isinstance(window, tuple) and len(window) == 3
            if not (ok and 0 <= window[0] < window[1] <= size and window[2] >= 1):
                raise refuse(op, field, window, f"must be (start, stop, step) with 0 <= start < stop <= {size}")


def pooled(attrs: Attrs, image: Sequence[int]) -> tuple[int, ...]:
    """The shape of the result."""
    return (image[0], len(attrs["windows_h"]), len(attrs["windows_w"]), image[3])


def _longest(windows: Sequence[Window]) -> int:
    return max(len(range(*w)) for w in windows)


def _index_dtype(attrs: Attrs) -> str:
    taps = _longest(attrs["windows_h"]) * _longest(attrs["windows_w"])
    return "uint8" if taps <= 256 else "int32"


def elements_seen(image: Sequence[int], attrs: Attrs) -> int:
    """Elements that windows of an image of shape NHWC see, together."""
    seen = [sum(len(range(*w)) for w in attrs[field]) for field, _ in AXES]
    return int(image[0] * image[3] * seen[0] * seen[1])


def _reads(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    """One operation for each element a window sees."""
    image = ins[0].shape if len(outs) == 2 or "input_shape" not in attrs else attrs["input_shape"]
    return Cost(ops=elements_seen(image, attrs))


def _taps(windows: Sequence[Window], size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For tap t: the input position it reads for each result position, and whether the window is that long."""
    for t in range(_longest(windows)):
        at = np.array([start + t * step for start, _, step in windows])
        inside = np.array([t < len(range(*w)) for w in windows])
        yield np.minimum(at, size - 1), inside


def indicator(windows: Sequence[Window], size: int, dtype: np.dtype) -> np.ndarray:
    """[results, size]: 1 where the window of the result sees the position."""
    seen = np.zeros((len(windows), size), dtype)
    for row, window in enumerate(windows):
        seen[row, slice(*window)] = 1
    return seen


# max_pool(x) -> (y, index)


def _max_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("max_pool", specs, 1)
    rank("max_pool", "x", specs[0], 4)
    check_windows("max_pool", attrs, specs[0].shape)
    shape = pooled(attrs, specs[0].shape)
    dtype = "int8" if specs[0].dtype == "int8" else float_dtype("max_pool", specs)
    return Spec(shape, dtype, specs[0].quant), Spec(shape, _index_dtype(attrs))


def _max(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    """The first maximum wins; a NaN wins over everything before it (as PyTorch's CPU kernel)."""
    x = arrays[0]
    shape = pooled(attrs, x.shape)
    y, index = np.full(shape, -128 if x.dtype == np.int8 else -np.inf, x.dtype), np.zeros(shape, _index_dtype(attrs))
    columns = np.array([len(range(*w)) for w in attrs["windows_w"]])
    for i, (rows, row_ok) in enumerate(_taps(attrs["windows_h"], x.shape[1])):
        for j, (cols, col_ok) in enumerate(_taps(attrs["windows_w"], x.shape[2])):
            seen = x[:, rows[:, None], cols[None, :]]
            better = (seen > y) | np.isnan(seen)
            better &= (row_ok[:, None] & col_ok[None, :])[None, :, :, None]
            y = np.where(better, seen, y)
            position = (i * columns + j)[None, None, :, None]
            index = np.where(better, position, index).astype(index.dtype)
    return y, index


def _max_gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
    if grads[0] is None:
        return [None]
    shape = node.inputs[0].shape
    return [apply("max_pool_grad", grads[0], Value(node, 1), **node.attrs, input_shape=shape)]


def _max_grad_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    op = "max_pool_grad"
    arity(op, specs, 2)
    shape = ints(op, attrs, "input_shape", 4)
    check_windows(op, attrs, shape)
    for field, spec in zip(("dy", "index"), specs, strict=True):
        made = pooled(attrs, shape)
        require(spec.shape == made, op, f"{field} shape", spec.shape, f"must be {made}")
    require(specs[1].dtype == _index_dtype(attrs), op, "index dtype", specs[1].dtype, _index_dtype(attrs))
    return (Spec(shape, float_dtype(op, specs[:1])),)


def _max_grad(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    dy, index = arrays
    _, height, width, _ = attrs["input_shape"]
    dx = np.zeros(attrs["input_shape"], dy.dtype)
    columns = np.array([len(range(*w)) for w in attrs["windows_w"]])
    for i, (rows, row_ok) in enumerate(_taps(attrs["windows_h"], height)):
        for j, (cols, col_ok) in enumerate(_taps(attrs["windows_w"], width)):
            hit = index == (i * columns + j)[None, None, :, None]
            hit &= (row_ok[:, None] & col_ok[None, :])[None, :, :, None]
            at: Any = (slice(None), rows[:, None], cols[None, :])
            np.add.at(dx, at, np.where(hit, dy, 0))
    return (dx,)


# avg_pool(x){counts_h, counts_w}: divisor counts_h[i] * counts_w[j]


def _counts(op: str, attrs: Attrs) -> None:
    for (field, _), count in zip(AXES, ("counts_h", "counts_w"), strict=True):
        ints(op, attrs, count, len(attrs[field]), least=1)


def _weights(attrs: Attrs, height: int, width: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    rows = indicator(attrs["windows_h"], height, dtype) / np.array(attrs["counts_h"], dtype)[:, None]
    columns = indicator(attrs["windows_w"], width, dtype) / np.array(attrs["counts_w"], dtype)[:, None]
    return rows, columns


def _avg_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("avg_pool", specs, 1)
    rank("avg_pool", "x", specs[0], 4)
    check_windows("avg_pool", attrs, specs[0].shape)
    _counts("avg_pool", attrs)
    return (Spec(pooled(attrs, specs[0].shape), float_dtype("avg_pool", specs)),)


def _avg(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    x = arrays[0]
    rows, columns = _weights(attrs, x.shape[1], x.shape[2], x.dtype)
    return (np.einsum("ih,nhwc,jw->nijc", rows, x, columns, optimize=True),)


def _avg_gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
    if grads[0] is None:
        return [None]
    return [apply("avg_pool_grad", grads[0], **node.attrs, input_shape=node.inputs[0].shape)]


def _avg_grad_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    op = "avg_pool_grad"
    arity(op, specs, 1)
    shape = ints(op, attrs, "input_shape", 4)
    check_windows(op, attrs, shape)
    _counts(op, attrs)
    made = pooled(attrs, shape)
    require(specs[0].shape == made, op, "dy shape", specs[0].shape, f"must be {made}")
    return (Spec(shape, float_dtype(op, specs)),)


def _avg_grad(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    dy = arrays[0]
    rows, columns = _weights(attrs, attrs["input_shape"][1], attrs["input_shape"][2], dy.dtype)
    return (np.einsum("ih,nijc,jw->nhwc", rows, dy, columns, optimize=True),)


register(Op("max_pool", _max_infer, _max, _max_gradient, _reads))
register(Op("max_pool_grad", _max_grad_infer, _max_grad, None, _reads))
register(Op("avg_pool", _avg_infer, _avg, _avg_gradient, _reads))
register(Op("avg_pool_grad", _avg_grad_infer, _avg_grad, None, _reads))
