"""Operators that move elements and compute nothing, of any dtype."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from selvedge.ir import apply, broadcast, reshape, transpose

from .read_picks import along
from .reading import TO_FIRST, TO_LAST, Node
from .tensors import checked_shape


def _to(node: Node, shape: tuple[int, ...]) -> None:
    """Another shape of the same elements, in the file's order of them."""
    size = math.prod(node.shape(0))
    node.require(math.prod(shape) == size, "shape", list(shape), f"it must have {size} elements")
    node.put(reshape(node.value(0), checked_shape(shape, node.where), node.where))


def _reshape(node: Node) -> None:
    node.count(2)
    given, x = list(node.whole(1)), node.shape(0)
    if not node.integer("allowzero", 0):
        node.require(all(n or i < len(x) for i, n in enumerate(given)), "shape", given, "a 0 copies an extent")
        given = [n or x[i] for i, n in enumerate(given)]
    rest = math.prod(n for n in given if n != -1)
    if given.count(-1) == 1:
        node.require(rest > 0 and math.prod(x) % rest == 0, "shape", given, f"it must divide {math.prod(x)} elements")
        given = [math.prod(x) // rest if n == -1 else n for n in given]
    node.require(all(n > 0 for n in given), "shape", given, "extents >= 1, and at most one -1")
    _to(node, tuple(given))


def _flatten(node: Node) -> None:
    node.count(1)
    x, axis = node.shape(0), node.integer("axis", 1)
    node.require(-len(x) <= axis <= len(x), "axis", axis, f"from {-len(x)} to {len(x)}")
    axis = axis + len(x) if axis < 0 else axis
    _to(node, (math.prod(x[:axis]), math.prod(x[axis:])))


def _squeeze(node: Node) -> None:
    node.count(1, 2)
    x = node.shape(0)
    axes = [node.axis(a, len(x)) for a in node.whole(1)] if node.name(1) else [a for a, n in enumerate(x) if n == 1]
    node.require(all(x[a] == 1 for a in axes), "axes", axes, f"of one element of {list(x)}")
    _to(node, tuple(n for a, n in enumerate(x) if a not in axes))


def _unsqueeze(node: Node) -> None:
    node.count(2)
    x, given = node.shape(0), node.whole(1)
    rank = len(x) + len(given)
    axes = {node.axis(a, rank) for a in given}
    node.require(len(axes) == len(given), "axes", given, "each once")
    rest = iter(x)
    _to(node, tuple(1 if a in axes else next(rest) for a in range(rank)))


def _transpose(node: Node) -> None:
    """Between NCHW and NHWC it is another name for what is there: nothing moves."""
    node.count(1)
    rank = len(node.shape(0))
    perm = node.integers("perm", tuple(reversed(range(rank))))
    node.require(sorted(perm) == list(range(rank)), "perm", perm, f"each of {rank} axes once")
    if perm == TO_FIRST:
        node.put(node.value(0), True)
    elif perm == TO_LAST and node.last(0):
        node.put(node.value(0, True))
    else:
        node.put(transpose(node.value(0), perm, node.where))


def _same(node: Node) -> None:
    """What changes nothing when it predicts."""
    if node.operator.op == "Dropout" and len(node.operator.outputs) > 1 and node.operator.outputs[1]:
        node.unsupported("Dropout with a mask", "export the model in eval mode")
    if node.operator.op == "Dropout" and node.name(2) and bool(node.array(2).any()):
        node.unsupported("Dropout in training mode", "export the model in eval mode")
    node.put(node.value(0, node.last(0)), node.last(0))


def _concat(node: Node) -> None:
    node.count(1, 1 << 10)
    parts = range(len(node.operator.inputs))
    rank = len(node.shape(0))
    node.require("axis" in node.operator.attrs, "axis", "missing", "give it")
    axis = node.axis(node.integer("axis", 0), rank)
    alike = all(len(node.shape(i)) == rank for i in parts)
    node.require(alike, "shapes", [node.shape(i) for i in parts][:4], "as many axes each")
    last = rank == 4 and any(node.last(i) for i in parts)
    values = [node.value(i, last) for i in parts]
    node.put(apply("concat", *values, axis=TO_FIRST[axis] if last else axis, where=node.where), last)


def _pad(node: Node) -> None:
    node.count(2, 4)
    x, given = node.shape(0), node.whole(1)
    mode = node.text("mode", "constant")
    node.require(mode in ("constant", *COPIED), "mode", mode, f"constant, {', '.join(COPIED)}")
    axes = [node.axis(a, len(x)) for a in node.whole(3)] if node.name(3) else list(range(len(x)))
    node.require(len(given) == 2 * len(axes) and len(set(axes)) == len(axes), "pads", given, "two for each axis")
    node.require(all(n >= 0 for n in given), "pads", given, "amounts >= 0: a slice crops")
    sides = [[0] * len(x), [0] * len(x)]
    for i, amount in enumerate(given):
        sides[i // len(axes)][axes[i % len(axes)]] = amount
    if mode != "constant":
        _copied(node, COPIED[mode], sides)
        return
    last, value = node.last(0), _pad_value(node)
    before, after = (tuple(side[a] for a in TO_LAST) if last else tuple(side) for side in sides)
    node.put(apply("pad", node.value(0, last), before=before, after=after, value=value, where=node.where), last)


def _copied(node: Node, way: Callable[[int, int], int], sides: list[list[int]]) -> None:
    """Edges that go on, are mirrored or come around."""
    x = node.value(0)
    if not x.spec.is_float:
        node.unsupported(f"Pad of {x.dtype} by copies", "give it float32, or pad with a constant")
    for axis, (before, after) in enumerate(zip(*sides, strict=True)):
        n = x.shape[axis]
        node.require(max(before, after) <= 1 << 20, "pads", (before, after), "at most 2^20")
        if before or after:
            x = along(x, axis, [way(i, n) for i in range(-before, n + after)], node.where)
    node.put(x)


def _mirrored(i: int, n: int) -> int:
    period = max(1, 2 * (n - 1))
    i %= period
    return min(i, period - i)


COPIED: dict[str, Callable[[int, int], int]] = {
    "edge": lambda i, n: min(max(i, 0), n - 1),
    "reflect": _mirrored,
    "wrap": lambda i, n: i % n,
}


def _pad_value(node: Node) -> int | float:
    unsigned = node.name(0) in node.tensors.unsigned
    if not node.name(2):
        return -128 if unsigned else 0
    found = node.array(2)
    node.require(found.size == 1, "pad value", list(found.shape), "one number")
    number: int | float = found.reshape(()).item()
    return int(number) - 128 if unsigned else number


def _slice(node: Node) -> None:
    node.count(3, 5)
    x, starts, ends = node.shape(0), node.whole(1), node.whole(2)
    axes = [node.axis(a, len(x)) for a in node.whole(3)] if node.name(3) else list(range(len(starts)))
    steps = node.whole(4) if node.name(4) else (1,) * len(starts)
    alike = len(starts) == len(ends) == len(axes) == len(steps) and len(set(axes)) == len(axes) <= len(x)
    node.require(alike, "axes", axes, "as many starts, ends and steps")
    node.require(all(steps), "steps", steps, "none is 0")
    ranges = [range(n) for n in x]
    for a, start, end, step in zip(axes, starts, ends, steps, strict=True):
        ranges[a] = range(x[a])[slice(start, end, step)]
    node.require(all(len(r) for r in ranges), "starts", starts, f"something of {list(x)} must be left")
    if any(r.step < 0 for r in ranges):
        made = node.value(0)
        if not made.spec.is_float:
            node.unsupported(f"Slice of {made.dtype} backwards", "give it float32, or steps >= 1")
        for a, picked in enumerate(ranges):
            made = made if picked == range(x[a]) else along(made, a, list(picked), node.where)
        node.put(made)
        return
    last = node.last(0)
    order = [ranges[a] for a in TO_LAST] if last else ranges
    bounds = {
        "starts": tuple(r.start for r in order),
        "stops": tuple(r.stop for r in order),
        "steps": tuple(r.step for r in order),
    }
    node.put(apply("slice", node.value(0, last), where=node.where, **bounds), last)


def _expand(node: Node) -> None:
    node.count(2)
    x, given = node.shape(0), node.whole(1)
    try:
        shape = np.broadcast_shapes(x, checked_shape(given, node.where))
    except ValueError:
        node.refuse("shape", list(given), f"it must broadcast with {list(x)}")
    node.put(broadcast(node.value(0), checked_shape(shape, node.where), node.where))


MOVES: dict[str, Callable[[Node], None]] = {
    "Concat": _concat,
    "Dropout": _same,
    "Expand": _expand,
    "Flatten": _flatten,
    "Identity": _same,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
