"""Convolutions, products and pools: y[n, a, b] += x[n, a*s + i*d - p, b*s + j*d - p] @ w[i, j], for y, x or w."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tvm import te
from tvm import tirx as tir

from selvedge.ir import Node

from .sheet import Row, Sheet, elements, number


def padded(x: Any, padding: Sequence[Sequence[int]], value: float = 0) -> Any:
    """NHWC with rows and columns of ``value`` around it."""
    (top, bottom), (left, right) = padding
    if not any((top, bottom, left, right)):
        return x
    n, height, width, channels = (int(e) for e in x.shape)
    edge = number(value, x.dtype)

    def element(b: Any, i: Any, j: Any, c: Any) -> Any:
        inside = tir.all(i >= top, i < top + height, j >= left, j < left + width)
        return tir.if_then_else(inside, x(b, i - top, j - left, c), edge)

    return elements((n, height + top + bottom, width + left + right, channels), element)


def convolved(x: Any, w: Any, attrs: Any, shape: Sequence[int], dtype: str, zero: int = 0) -> Any:
    """Sums in ``dtype`` of products with ``x - zero``, whose padding is ``zero``."""
    (sh, sw), (dh, dw), groups = attrs["stride"], attrs["dilation"], attrs["groups"]
    image = padded(x, attrs["padding"], zero)
    kh, kw, per, outs = (int(e) for e in w.shape)
    i, j, c = (te.reduce_axis((0, e), name=n) for e, n in ((kh, "i"), (kw, "j"), (per, "c")))
    each = outs // groups

    def element(n: Any, a: Any, b: Any, o: Any) -> Any:
        channel = c if groups == 1 else (o // each) * per + c
        seen = image(n, a * sh + i * dh, b * sw + j * dw, channel).astype(dtype)
        return te.sum((seen - tir.const(zero, dtype) if zero else seen) * w(i, j, c, o).astype(dtype), axis=[i, j, c])

    return elements(shape, element)


def _conv(sheet: Sheet, node: Node) -> None:
    spec = node.specs[0]
    sheet.compute_values(node, lambda x, w: convolved(x, w, node.attrs, spec.shape, spec.dtype))


def _input_grad(sheet: Sheet, node: Node) -> None:
    attrs, spec = node.attrs, node.specs[0]
    (sh, sw), (dh, dw), groups = attrs["stride"], attrs["dilation"], attrs["groups"]
    top, left = attrs["padding"][0][0], attrs["padding"][1][0]
    _, rows, columns, _ = node.inputs[0].shape
    kh, kw, per, outs = node.inputs[1].shape
    each = outs // groups

    def body(dy: Any, w: Any) -> Any:
        i, j, o = (te.reduce_axis((0, e), name=n) for e, n in ((kh, "i"), (kw, "j"), (each, "o")))

        def element(n: Any, y: Any, x: Any, c: Any) -> Any:
            down, across = y + top - i * dh, x + left - j * dw
            out = o if groups == 1 else (c // per) * each + o
            a, b = tir.floordiv(down, sh), tir.floordiv(across, sw)
            inside = [down >= 0, across >= 0, a < rows, b < columns]
            inside += [tir.floormod(down, sh) == 0] if sh > 1 else []
            inside += [tir.floormod(across, sw) == 0] if sw > 1 else []
            product = dy(n, a, b, out) * w(i, j, c if groups == 1 else tir.floormod(c, per), out)
            return te.sum(tir.if_then_else(tir.all(*inside), product, number(0, spec.dtype)), axis=[i, j, o])

        return elements(spec.shape, element)

    sheet.compute_values(node, body)


def _weight_grad(sheet: Sheet, node: Node) -> None:
    attrs, spec = node.attrs, node.specs[0]
    (sh, sw), (dh, dw), groups = attrs["stride"], attrs["dilation"], attrs["groups"]
    batch, rows, columns, outs = node.inputs[1].shape
    per, each = spec.shape[2], outs // groups

    def body(x: Any, dy: Any) -> Any:
        image = padded(x, attrs["padding"])
        n, a, b = (te.reduce_axis((0, e), name=m) for e, m in ((batch, "n"), (rows, "a"), (columns, "b")))

        def element(i: Any, j: Any, c: Any, o: Any) -> Any:
            channel = c if groups == 1 else (o // each) * per + c
            return te.sum(image(n, a * sh + i * dh, b * sw + j * dw, channel) * dy(n, a, b, o), axis=[n, a, b])

        return elements(spec.shape, element)

    sheet.compute_values(node, body)


def _matmul(sheet: Sheet, node: Node) -> None:
    turned_a, turned_b = node.attrs["trans_a"], node.attrs["trans_b"]
    inner = node.inputs[0].shape[-2 if turned_a else -1]

    def body(a: Any, b: Any) -> Any:
        k = te.reduce_axis((0, inner), name="k")

        def element(*i: Any) -> Any:
            *lead, row, column = i
            left = a(*lead, k, row) if turned_a else a(*lead, row, k)
            return te.sum(left * (b(*lead, column, k) if turned_b else b(*lead, k, column)), axis=k)

        return elements(node.specs[0].shape, element)

    sheet.compute_values(node, body)


# Pools: windows are tables (start, step, count) a row and a column


def tables(sheet: Sheet, attrs: Any) -> list[Any]:
    """Six int32 constants: starts, steps and counts of rows, then of columns."""
    made = []
    for windows in (attrs["windows_h"], attrs["windows_w"]):
        starts, steps = [w[0] for w in windows], [w[2] for w in windows]
        counts = [len(range(*w)) for w in windows]
        made += [sheet.constant(np.array(v, np.int32)) for v in (starts, steps, counts)]
    return made


def pooled(x: Any, windows: Sequence[Any], attrs: Any, shape: Sequence[int], dtype: str, most: float | None) -> Any:
    """The sum (or, with ``most``, the maximum, which that loses against) of what each window sees, in ``dtype``."""
    starts_h, steps_h, counts_h, starts_w, steps_w, counts_w = windows
    longest = [max(len(range(*w)) for w in attrs[f]) for f in ("windows_h", "windows_w")]
    r, s = (te.reduce_axis((0, e), name=n) for e, n in zip(longest, "rs", strict=True))
    none = number(0 if most is None else most, dtype)
    last = [int(e) - 1 for e in x.shape[1:3]]

    def element(n: Any, i: Any, j: Any, c: Any) -> Any:
        down = tir.min(starts_h(i) + r * steps_h(i), last[0])
        across = tir.min(starts_w(j) + s * steps_w(j), last[1])
        seen = tir.if_then_else(tir.all(r < counts_h(i), s < counts_w(j)), x(n, down, across, c).astype(dtype), none)
        return te.sum(seen, axis=[r, s]) if most is None else te.max(seen, axis=[r, s])

    return elements(shape, element)


def _avg_pool(sheet: Sheet, node: Node) -> None:
    shape, dtype = node.specs[0].shape, node.specs[0].dtype
    shares = np.outer(node.attrs["counts_h"], node.attrs["counts_w"]).astype(dtype)

    def body(x: Any, counts: Any, *windows: Any) -> Any:
        sums = pooled(x, windows, node.attrs, shape, dtype, None)
        return elements(shape, lambda n, i, j, c: sums(n, i, j, c) / counts(i, j))

    sheet.compute(node, body, sheet.of(node.inputs[0]), sheet.constant(shares), *tables(sheet, node.attrs))


def _avg_pool_grad(sheet: Sheet, node: Node) -> None:
    """The transpose, one axis after the other."""
    attrs, (batch, height, width, channels), dtype = node.attrs, node.attrs["input_shape"], node.specs[0].dtype
    matrices = []
    for windows, counts, size in (("windows_h", "counts_h", height), ("windows_w", "counts_w", width)):
        matrix = np.zeros((len(attrs[windows]), size), dtype)
        for row, (window, count) in enumerate(zip(attrs[windows], attrs[counts], strict=True)):
            matrix[row, slice(*window)] = 1 / count
        matrices.append(matrix)
    rows, columns = len(matrices[0]), len(matrices[1])

    def body(dy: Any, down: Any, across: Any) -> Any:
        i, j = te.reduce_axis((0, rows), name="i"), te.reduce_axis((0, columns), name="j")
        half = elements(
            (batch, height, columns, channels), lambda n, y, b, c: te.sum(down(i, y) * dy(n, i, b, c), axis=i)
        )
        return elements(
            (batch, height, width, channels), lambda n, y, x, c: te.sum(across(j, x) * half(n, y, j, c), axis=j)
        )

    sheet.compute(node, body, sheet.of(node.inputs[0]), *(sheet.constant(m) for m in matrices))


def _max_pool(sheet: Sheet, node: Node) -> None:
    """Without its index; of floats or int8."""
    spec = node.specs[0]
    least = -128 if spec.dtype == "int8" else float("-inf")

    def body(x: Any, *windows: Any) -> Any:
        return pooled(x, windows, node.attrs, spec.shape, spec.dtype, least)

    sheet.compute(node, body, sheet.of(node.inputs[0]), *tables(sheet, node.attrs))


LAYERS: dict[str, Row] = {
    "avg_pool": _avg_pool,
    "avg_pool_grad": _avg_pool_grad,
    "conv2d": _conv,
    "conv2d_input_grad": _input_grad,
    "conv2d_weight_grad": _weight_grad,
    "matmul": _matmul,
    "max_pool": _max_pool,
}
