"""Operators that pick, repeat and rearrange elements along axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from selvedge.ir import Value, apply, broadcast, constant, reshape, transpose

from .read_logic import real
from .reading import Node
from .resizing import resized


def along(x: Value, axis: int, index: Sequence[int], where: str) -> Value:
    """The elements ``index`` of real numbers ``x`` along ``axis``, in that order."""
    before, after = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    flat = reshape(x, (before, x.shape[axis], after), where)
    made = apply("resample", flat, starts=tuple(range(len(index) + 1)), index=tuple(index), weights=(), where=where)
    return reshape(made, (*x.shape[:axis], len(index), *x.shape[axis + 1 :]), where)


def gather(node: Node) -> None:
    """By constant indices any elements; by indices that are known when it runs, rows that are named from 0 on."""
    node.count(2)
    x, shape = real(node, node.value(0)), node.shape(0)
    axis = node.axis(node.integer("axis", 0), len(shape))
    index = node.value(1)
    if index.node.op == "constant":
        picks = np.asarray(index.node.attrs["value"])
        node.require(picks.dtype.kind == "i", "indices", picks.dtype.name, "integers")
        inside = bool(((picks >= -shape[axis]) & (picks < shape[axis])).all())
        node.require(inside and picks.size > 0, "indices", picks.reshape(-1)[:8].tolist(), f"each of {shape[axis]}")
        made = along(x, axis, [int(p) % shape[axis] for p in picks.reshape(-1)], node.where)
        node.put(reshape(made, (*shape[:axis], *picks.shape, *shape[axis + 1 :]), node.where))
        return
    node.require(index.dtype == "int32", "indices", index.dtype, "int32 or int64")
    flat = reshape(x, (math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])), node.where)
    made = apply("take", flat, reshape(index, (1, index.spec.size), node.where), where=node.where)
    node.put(reshape(made, (*shape[:axis], *index.shape, *shape[axis + 1 :]), node.where))


def _gather_elements(node: Node) -> None:
    node.count(2)
    x, shape, index = real(node, node.value(0)), node.shape(0), node.value(1)
    axis = node.axis(node.integer("axis", 0), len(shape))
    if index.node.op == "constant":
        picks = np.asarray(index.node.attrs["value"])
        inside = picks.dtype.kind == "i" and bool(((picks >= -shape[axis]) & (picks < shape[axis])).all())
        node.require(inside, "indices", picks.reshape(-1)[:8].tolist(), f"each of {shape[axis]}")
        index = constant((picks % shape[axis]).astype(np.int32))
    node.require(index.dtype == "int32" and len(index.shape) == len(shape), "indices", str(index.spec), "as many axes")
    others = all(index.shape[a] == n for a, n in enumerate(shape) if a != axis)
    if not others:
        node.unsupported("GatherElements of a part of the other axes", "slice its input first")
    rest = [a for a in range(len(shape)) if a != axis]
    perm = (*rest, axis)
    lines = reshape(transpose(x, perm, node.where), (-(-x.spec.size // shape[axis]), shape[axis], 1), node.where)
    moved = transpose(index, perm, node.where)
    picked = apply("take", lines, reshape(moved, (lines.shape[0], index.shape[axis]), node.where), where=node.where)
    back = tuple(perm.index(a) for a in range(len(shape)))
    node.put(transpose(reshape(picked, moved.shape, node.where), back, node.where))


def _split(node: Node) -> None:
    """Equal parts, or as many as the second input says of each."""
    node.count(1, 2)
    x, shape, count = node.value(0), node.shape(0), len(node.operator.outputs)
    axis = node.axis(node.integer("axis", 0), len(shape))
    if node.name(1):
        sizes = node.whole(1)
    else:
        part = -(-shape[axis] // node.integer("num_outputs", count))
        sizes = tuple(min(part, shape[axis] - i * part) for i in range(count))
    right = len(sizes) == count and sum(sizes) == shape[axis] and all(n > 0 for n in sizes)
    node.require(right, "split", sizes, f"{count} parts of {shape[axis]}")
    start = 0
    for i, size in enumerate(sizes):
        starts = tuple(start if a == axis else 0 for a in range(len(shape)))
        stops = tuple(start + size if a == axis else n for a, n in enumerate(shape))
        if node.operator.outputs[i]:
            steps = (1,) * len(shape)
            node.put(apply("slice", x, starts=starts, stops=stops, steps=steps, where=node.where), result=i)
        start += size


def _tile(node: Node) -> None:
    node.count(2)
    x, shape, repeats = node.value(0), node.shape(0), node.whole(1)
    node.require(len(repeats) == len(shape) and all(n > 0 for n in repeats), "repeats", repeats, "one >= 1 an axis")
    apart = reshape(x, tuple(m for n in shape for m in (1, n)), node.where)
    wide = broadcast(apart, tuple(m for n, r in zip(shape, repeats, strict=True) for m in (r, n)), node.where)
    node.put(reshape(wide, tuple(n * r for n, r in zip(shape, repeats, strict=True)), node.where))


def _depth_to_space(node: Node) -> None:
    node.count(1)
    x, block = node.value(0), node.integer("blocksize", 1)
    mode = node.text("mode", "DCR")
    n, c, h, w = _image(node)
    node.require(block >= 1 and c % (block * block) == 0, "blocksize", block, f"its square divides {c} channels")
    node.require(mode in ("DCR", "CRD"), "mode", mode, "DCR or CRD")
    deep = c // (block * block)
    shape, perm = (
        ((n, block, block, deep, h, w), (0, 3, 4, 1, 5, 2))
        if mode == "DCR"
        else ((n, deep, block, block, h, w), (0, 1, 4, 2, 5, 3))
    )
    moved = transpose(reshape(x, shape, node.where), perm, node.where)
    node.put(reshape(moved, (n, deep, h * block, w * block), node.where))


def _space_to_depth(node: Node) -> None:
    node.count(1)
    x, block = node.value(0), node.integer("blocksize", 1)
    n, c, h, w = _image(node)
    node.require(block >= 1 and h % block == 0 and w % block == 0, "blocksize", block, f"it divides {h} and {w}")
    apart = reshape(x, (n, c, h // block, block, w // block, block), node.where)
    mode = node.text("mode", "DCR")
    node.require(mode in ("DCR", "CRD"), "mode", mode, "DCR or CRD")
    moved = transpose(apart, (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4), node.where)
    node.put(reshape(moved, (n, c * block * block, h // block, w // block), node.where))


def _image(node: Node) -> tuple[int, ...]:
    node.require(len(node.shape(0)) == 4, "shape", node.shape(0), "[N, C, H, W]")
    return node.shape(0)


def _trilu(node: Node) -> None:
    node.count(1, 2)
    x, shape = real(node, node.value(0)), node.shape(0)
    node.require(len(shape) >= 2, "shape", shape, "matrices")
    k = int(node.array(1).reshape(())) if node.name(1) else 0
    ones = np.ones(shape[-2:], bool)
    kept = np.triu(ones, k) if node.integer("upper", 1) else np.tril(ones, k)
    node.put(apply("where", constant(kept), x, constant(0, x.dtype), where=node.where))


def _cumsum(node: Node) -> None:
    node.count(2)
    x, shape = real(node, node.value(0)), node.shape(0)
    axis = node.axis(int(node.array(1).reshape(())), len(shape))
    reverse, rows = bool(node.integer("reverse", 0)), shape[axis]
    flat = reshape(x, (math.prod(shape[:axis]), rows, math.prod(shape[axis + 1 :])), node.where)
    if node.integer("exclusive", 0):  # each element with those before it: one row further on
        edges = [(0, 1, 0), (0, 0, 0)]
        padded = apply("pad", flat, before=edges[reverse], after=edges[not reverse], value=0.0, where=node.where)
        first = int(reverse)
        flat = apply(
            "slice", padded, starts=(0, first, 0), stops=(flat.shape[0], first + rows, flat.shape[2]), steps=(1, 1, 1),
            where=node.where,
        )  # fmt: skip
    node.put(reshape(apply("cumsum", flat, reverse=reverse, where=node.where), shape, node.where))


def _one_hot(node: Node) -> None:
    """Indices from -depth on: what is negative counts from the end."""
    node.count(3)
    index, depth, shape = node.value(0), int(node.array(1).reshape(-1)[0]), node.shape(0)
    axis = node.axis(node.integer("axis", -1), len(shape) + 1)
    ends = real(node, node.value(2), "pair of values")
    node.require(ends.shape == (2,) and 1 <= depth <= 1 << 20, "values and depth", (ends.shape, depth), "a pair")
    if index.dtype not in ("int32", "float32"):
        node.unsupported(f"OneHot of {index.dtype}", "give int32, int64 or float32 indices")
    off, on = (
        reshape(apply("slice", ends, starts=(i,), stops=(i + 1,), steps=(1,), where=node.where), (), node.where)
        for i in (0, 1)
    )
    wide = (*shape[:axis], 1, *shape[axis:])
    numbers = np.arange(depth).reshape([depth if a == axis else 1 for a in range(len(wide))])
    given = reshape(index, wide, node.where)
    own, other = (
        apply("equal", given, constant((numbers - less).astype(index.dtype)), where=node.where) for less in (0, depth)
    )
    hit = apply("where", own, constant(np.array(True)), other, where=node.where)
    node.put(apply("where", hit, on, off, where=node.where))


def _resize(node: Node) -> None:
    """Each axis by itself: what every element is made of is a table."""
    node.count(1, 4)
    x, shape = real(node, node.value(0)), node.shape(0)
    made = x
    for axis, table in resized(node, shape).items():
        before, after = math.prod(made.shape[:axis]), math.prod(made.shape[axis + 1 :])
        flat = reshape(made, (before, made.shape[axis], after), node.where)
        new = apply("resample", flat, where=node.where, **table)
        made = reshape(new, (*made.shape[:axis], new.shape[1], *made.shape[axis + 1 :]), node.where)
    node.put(made)


PICKS: dict[str, Callable[[Node], None]] = {
    "CumSum": _cumsum,
    "DepthToSpace": _depth_to_space,
    "GatherElements": _gather_elements,
    "OneHot": _one_hot,
    "Resize": _resize,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Tile": _tile,
    "Trilu": _trilu,
}
