"""Pools, and how much is padded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from selvedge.ir import Value, apply, reduce, scale

from ..windows import Sliding, windows
from .images import finished, image, wide
from .reading import TO_FIRST, Node

Amounts = tuple[tuple[int, int], tuple[int, int]]


def amounts(node: Node, extents: Sequence[int], spans: Sequence[int], stride: Sequence[int]) -> Amounts:
    """Padding before and after, of rows and columns. ``spans``: elements from a kernel's first tap to its last."""
    way = node.text("auto_pad", "NOTSET")
    if way == "NOTSET":
        rank = len(node.shape(0)) - 2
        pads = node.integers("pads", (0,) * (2 * rank))
        if rank == 1:  # a signal is an image of one row
            return (0, pads[0]), (0, pads[1])
        top, left, bottom, right = pads
        return (top, left), (bottom, right)
    if way == "VALID":
        return (0, 0), (0, 0)
    node.require(way in ("SAME_UPPER", "SAME_LOWER"), "auto_pad", way, "NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    total = [max(0, (-(-extents[a] // stride[a]) - 1) * stride[a] + spans[a] - extents[a]) for a in (0, 1)]
    less, more = (total[0] // 2, total[1] // 2), (total[0] - total[0] // 2, total[1] - total[1] // 2)
    return (less, more) if way == "SAME_UPPER" else (more, less)


def _sliding(node: Node) -> tuple[dict[str, Any], list[Sliding]]:
    """The windows of a pool, and the kernels that make them."""
    node.count(1)
    x = node.shape(0)
    if len(x) not in (3, 4):
        node.unsupported(f"{node.operator.said} of {len(x)} axes", "one or two axes beside samples and channels")
    if not node.value(0, node.last(0)).spec.is_float and node.value(0, node.last(0)).dtype != "int8":
        node.unsupported(f"{node.operator.said} of {node.value(0, node.last(0)).dtype}", "give it float32 or int8")
    node.require("kernel_shape" in node.operator.attrs, "kernel_shape", "missing", "give it")
    ones = (1,) * (len(x) - 2)
    kernel, stride, dilation = (wide(node.integers(n, ones, 1)) for n in ("kernel_shape", "strides", "dilations"))
    spans = [(kernel[a] - 1) * dilation[a] + 1 for a in (0, 1)]
    extents = wide(x[2:])
    before, after = amounts(node, extents, spans, stride)
    made, found = [], []
    for a in (0, 1):
        extent = extents[a]
        near = max(before[a], after[a]) < spans[a] <= extent + before[a] + after[a]
        node.require(near, "pads", (before[a], after[a]), f"less than the kernel, which fits in {extent} and them")
        by = Sliding(kernel[a], stride[a], dilation[a], before[a], after[a])
        count = by.count(extent)
        if node.integer("ceil_mode", 0):
            more = -(-(extent + before[a] + after[a] - spans[a]) // stride[a]) + 1
            # As PyTorch and ONNX 1.16: a window that begins in the padding behind is none.
            count = more if (more - 1) * stride[a] < extent + before[a] else count
        seen = windows(by, extent, count)
        node.require(all(w[0] < w[1] for w in seen), "pads", (before[a], after[a]), "each window must see a pixel")
        made.append(by)
        found.append(seen)
    return {"windows_h": found[0], "windows_w": found[1]}, made


def _max_pool(node: Node) -> None:
    if len(node.operator.outputs) > 1:
        node.unsupported("MaxPool with indices", "export it without")
    attrs, _ = _sliding(node)
    finished(node, apply("max_pool", image(node, 0), where=node.where, **attrs), len(node.shape(0)))


def _average_pool(node: Node) -> None:
    attrs, kernels = _sliding(node)
    counts = [tuple(len(range(*w)) for w in attrs[field]) for field in ("windows_h", "windows_w")]
    extents = wide(node.shape(0)[2:])
    if node.integer("count_include_pad", 0):
        for a, by in enumerate(kernels):
            padded = windows(
                Sliding(by.kernel, by.stride, by.dilation), extents[a] + by.before + by.after, len(counts[a])
            )
            counts[a] = tuple(len(range(*w)) for w in padded)
    attrs |= {"counts_h": counts[0], "counts_w": counts[1]}
    finished(node, apply("avg_pool", image(node, 0), where=node.where, **attrs), len(node.shape(0)))


def _lp_pool(node: Node) -> None:
    """The p-th root of the sum of p-th powers: an average whose divisors are 1."""
    attrs, _ = _sliding(node)
    power = node.integer("p", 2)
    node.require(power >= 1, "p", power, "at least 1")
    x = apply("abs", image(node, 0), where=node.where)
    raised = x if power == 1 else apply("power", x, exponent=float(power), where=node.where)
    counts = {f"counts_{a}": (1,) * len(attrs[f"windows_{a}"]) for a in "hw"}
    total = apply("avg_pool", raised, where=node.where, **attrs, **counts)
    made = total if power == 1 else apply("power", total, exponent=1 / power, where=node.where)
    finished(node, made, len(node.shape(0)))


def _global(way: str) -> Callable[[Node], None]:
    def rule(node: Node) -> None:
        node.count(1)
        shape = node.shape(0)
        node.require(len(shape) >= 3, "shape", shape, "[N, C, H, W]")
        if len(shape) != 4:
            axes, x = tuple(range(2, len(shape))), node.value(0)
            node.put(
                mean(x, axes, True, node.where) if way == "mean" else reduce("reduce_max", x, axes, True, node.where)
            )
            return
        x = node.value(0, True)
        if way == "mean":
            node.put(mean(x, (1, 2), True, node.where), True)
        else:
            node.put(reduce("reduce_max", x, (1, 2), True, node.where), True)

    return rule


def mean(x: Value, axes: tuple[int, ...], keep: bool, where: str) -> Value:
    count = 1
    for a in axes:
        count *= x.shape[a]
    return scale(reduce("reduce_sum", x, axes, keep, where), 1 / count)


def _reduce(way: str) -> Callable[[Node], None]:
    def rule(node: Node) -> None:
        node.count(1, 2)
        rank = len(node.shape(0))
        if node.name(1):
            given = node.whole(1)
        else:
            found = node.operator.attrs.get("axes", ())
            if not isinstance(found, tuple):
                node.refuse("axes", found, "integers")
            given = tuple(a for a in found if isinstance(a, int))
            node.require(given == found, "axes", found, "integers")
        if not given and node.integer("noop_with_empty_axes", 0):
            node.put(node.value(0, node.last(0)), node.last(0))
            return
        axes = tuple(sorted({node.axis(a, rank) for a in given})) or tuple(range(rank))
        keep = bool(node.integer("keepdims", 1))
        # Without its image, [N, C] is in one order either way.
        last = node.last(0) and (keep or axes == (2, 3))
        if last:
            axes = tuple(sorted(TO_FIRST[a] for a in axes))
        x = node.value(0, last)
        if not x.spec.is_float:
            node.unsupported(f"{node.operator.said} of {x.dtype}", "give it float32")
        made = mean(x, axes, keep, node.where) if way == "mean" else reduce(way, x, axes, keep, node.where)
        node.put(made, last and keep)

    return rule


POOLS: dict[str, Callable[[Node], None]] = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global("mean"),
    "GlobalMaxPool": _global("max"),
    "LpPool": _lp_pool,
    "MaxPool": _max_pool,
    "ReduceMax": _reduce("reduce_max"),
    "ReduceMean": _reduce("mean"),
    "ReduceSum": _reduce("reduce_sum"),
}
