"""Normalisations, as rows that compute and rows that scale; reductions by formulas of sums and maxima."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from selvedge.ir import Value, apply, constant, reduce, reshape, results

from .read_logic import plus, real, times
from .reading import Node


def _axes(node: Node) -> tuple[int, ...] | None:
    """What is reduced; None for nothing at all. Behind opset 18 they are an input, before an attribute."""
    rank = len(node.shape(0))
    if node.name(1):
        given = node.whole(1)
    else:
        found = node.operator.attrs.get("axes", ())
        if not isinstance(found, tuple) or not all(isinstance(a, int) for a in found):
            node.refuse("axes", found, "integers")
        given = tuple(int(a) for a in found if isinstance(a, int))
    if not given and node.integer("noop_with_empty_axes", 0):
        return None
    return tuple(sorted({node.axis(a, rank) for a in given})) or tuple(range(rank))


Reduced = Callable[[Value, tuple[int, ...], str], Value]


def _total(x: Value, axes: tuple[int, ...], where: str) -> Value:
    return reduce("reduce_sum", x, axes, True, where)


def _least(x: Value, axes: tuple[int, ...], where: str) -> Value:
    return apply("neg", reduce("reduce_max", apply("neg", x), axes, True, where), where=where)


def _log_sum_exp(x: Value, axes: tuple[int, ...], where: str) -> Value:
    """Shifted by the maximum."""
    most = reduce("reduce_max", x, axes, True, where)
    total = _total(apply("exp", apply("sub", x, most), where=where), axes, where)
    return apply("add", apply("log", total, where=where), most, where=where)


def _reduced(before: str | None, way: Reduced, after: str | None) -> Callable[[Node], None]:
    """before, after: rows element by element; with ``noop_with_empty_axes`` they alone are done."""

    def rule(node: Node) -> None:
        node.count(1, 2)
        axes, keep, x = _axes(node), bool(node.integer("keepdims", 1)), real(node, node.value(0))
        made = x if before is None else apply(before, x, where=node.where)
        if axes is not None:
            made = way(made, axes, node.where)
            if not keep:
                made = reshape(made, tuple(n for a, n in enumerate(x.shape) if a not in axes), node.where)
        node.put(made if after is None else apply(after, made, where=node.where))

    return rule


def _mean(x: Value, axes: tuple[int, ...], where: str) -> Value:
    return times(_total(x, axes, where), 1 / math.prod(x.shape[a] for a in axes))


def _layer_norm(node: Node) -> None:
    """Over all axes from ``axis`` on; the mean and the reciprocal deviation are results 1 and 2."""
    node.count(2, 3)
    x, shape = real(node, node.value(0)), node.shape(0)
    axis = node.axis(node.integer("axis", -1), len(shape))
    rows, size = math.prod(shape[:axis]), math.prod(shape[axis:])
    flat = reshape(x, (rows, 1, 1, size), node.where)
    even, deviation = results("normalize", flat, eps=node.number("epsilon", 1e-5), where=node.where)
    made = apply("mul", reshape(even, shape, node.where), real(node, node.value(1)), where=node.where)
    if node.name(2):
        made = apply("add", made, node.value(2), where=node.where)
    node.put(made)
    kept = (*shape[:axis], *(1,) * (len(shape) - axis))
    outputs = node.operator.outputs
    if len(outputs) > 1 and outputs[1]:
        node.put(reshape(_mean(flat, (1, 2, 3), node.where), kept, node.where), result=1)
    if len(outputs) > 2 and outputs[2]:
        node.put(reshape(deviation, kept, node.where), result=2)


def _rms_norm(node: Node) -> None:
    node.count(2)
    x, shape = real(node, node.value(0)), node.shape(0)
    axis = node.axis(node.integer("axis", -1), len(shape))
    squares = _mean(apply("square", x), tuple(range(axis, len(shape))), node.where)
    deviation = apply("rsqrt", plus(squares, node.number("epsilon", 1e-5)), where=node.where)
    node.put(apply("mul", apply("mul", x, deviation), node.value(1), where=node.where))


def _grouped(node: Node, groups: int, scale: Value, shift: Value) -> None:
    """Channels in ``groups``, each even by itself; scale and shift [C]."""
    x, shape = real(node, node.value(0)), node.shape(0)
    n, channels, *rest = shape
    node.require(len(shape) >= 3 and channels % groups == 0, "shape", shape, f"channels in {groups} groups")
    size = channels // groups * math.prod(rest)
    flat = reshape(x, (n * groups, 1, 1, size), node.where)
    even = results("normalize", flat, eps=node.number("epsilon", 1e-5), where=node.where)[0]
    wide = (channels, *(1,) * len(rest))
    made = apply("mul", reshape(even, shape, node.where), reshape(scale, wide), where=node.where)
    node.put(apply("add", made, reshape(shift, wide), where=node.where))


def _instance_norm(node: Node) -> None:
    node.count(3)
    _grouped(node, node.shape(0)[1], node.value(1), node.value(2))


def _group_norm(node: Node) -> None:
    """Of opset 21 on scale and shift are of channels; before, of groups."""
    node.count(3)
    groups, channels = node.integer("num_groups", 1), node.shape(0)[1]
    pair = [real(node, node.value(i)) for i in (1, 2)]
    if node.shape(1) != (channels,):
        node.require(node.shape(1) == (groups,), "scale", node.shape(1), f"({channels},) or ({groups},)")
        whole = constant(np.ones((groups, channels // groups), np.float32))
        pair = [reshape(apply("mul", whole, reshape(v, (groups, 1))), (channels,)) for v in pair]
    _grouped(node, groups, *pair)


def _lp_norm(node: Node) -> None:
    node.count(1)
    x, power = real(node, node.value(0)), node.integer("p", 2)
    node.require(power in (1, 2), "p", power, "1 or 2")
    axis = node.axis(node.integer("axis", -1), len(node.shape(0)))
    if power == 1:
        size = _total(apply("abs", x), (axis,), node.where)
    else:
        size = apply("sqrt", _total(apply("square", x), (axis,), node.where), where=node.where)
    whole = apply("where", apply("equal", size, constant(0, x.dtype)), constant(1, x.dtype), size)
    node.put(apply("div", x, whole, where=node.where))


def _mean_variance(node: Node) -> None:
    """(x - mean) / (deviation + 1e-9), as the standard's own formula has it."""
    node.count(1)
    x = real(node, node.value(0))
    found = node.operator.attrs.get("axes", (0, 2, 3))
    if not isinstance(found, tuple):
        node.refuse("axes", found, "integers")
    axes = tuple(sorted({node.axis(int(a), len(x.shape)) for a in found}))
    mean = _mean(x, axes, node.where)
    variance = apply("sub", _mean(apply("square", x), axes, node.where), apply("square", mean), where=node.where)
    deviation = plus(apply("sqrt", variance, where=node.where), 1e-9)
    node.put(apply("div", apply("sub", x, mean), deviation, where=node.where))


def _lrn(node: Node) -> None:
    """Squares of neighbouring channels, added up as that many slices."""
    node.count(1)
    x, shape, size = real(node, node.value(0)), node.shape(0), node.integer("size", 1)
    node.require(1 <= size <= 64 and len(shape) >= 2, "size", size, "from 1 to 64 channels")
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
    edges = [tuple(n if a == 1 else 0 for a in range(len(shape))) for n in (before, after)]
    padded = apply("pad", apply("square", x), before=edges[0], after=edges[1], value=0.0, where=node.where)
    total: Value | None = None
    for first in range(size):
        starts = tuple(first if a == 1 else 0 for a in range(len(shape)))
        stops = tuple(start + n for start, n in zip(starts, shape, strict=True))
        part = apply("slice", padded, starts=starts, stops=stops, steps=(1,) * len(shape), where=node.where)
        total = part if total is None else apply("add", total, part, where=node.where)
    assert total is not None
    base = plus(times(total, node.number("alpha", 1e-4) / size), node.number("bias", 1.0))
    node.put(apply("div", x, apply("power", base, exponent=node.number("beta", 0.75)), where=node.where))


NORMS: dict[str, Callable[[Node], None]] = {
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "LRN": _lrn,
    "LayerNormalization": _layer_norm,
    "LpNormalization": _lp_norm,
    "MeanVarianceNormalization": _mean_variance,
    "RMSNormalization": _rms_norm,
    "ReduceL1": _reduced("abs", _total, None),
    "ReduceL2": _reduced("square", _total, "sqrt"),
    "ReduceLogSum": _reduced(None, _total, "log"),
    "ReduceLogSumExp": _reduced(None, _log_sum_exp, None),
    "ReduceMin": _reduced(None, _least, None),
    "ReduceSumSquare": _reduced("square", _total, None),
}
