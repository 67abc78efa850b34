"""Small builders over the op table: leaves, scalars, reductions over any axes, un-broadcasting."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np

from .graph import Node, Spec, Value
from .op import apply
from .quant import Quant


def input_leaf(name: str, spec: Spec, **attrs: Any) -> Value:
    """A named input of the graph."""
    return Value(Node("input", (), (spec,), {"name": name, **attrs}))


def state_leaf(name: str, spec: Spec, kind: str, layout: Any = None) -> Value:
    """Named state. ``kind``: "parameter", "buffer", "optimizer" or "accumulator"; ``layout``: how PyTorch's array is
    stored."""
    return Value(Node("state", (), (spec,), {"name": name, "kind": kind, "layout": layout}))


def constant(value: Any, dtype: str | None = None, quant: Quant | None = None) -> Value:
    """A constant array, read-only from here on. Numbers become 0-d arrays of ``dtype``."""
    array = np.array(value, dtype=dtype, order="C")
    array.setflags(write=False)
    return Value(Node("constant", (), (Spec(array.shape, array.dtype.name, quant),), {"value": array}))


def scalar(value: float, like: Value) -> Value:
    """A 0-d constant of the dtype of ``like``."""
    return constant(value, like.dtype)


def zeros(spec: Spec) -> Value:
    """Zeros of ``spec``, made of one scalar constant."""
    return broadcast(constant(0, spec.dtype), spec.shape)


def scale(x: Value, factor: float) -> Value:
    """``x * factor``."""
    return x if factor == 1 else apply("mul", x, scalar(factor, x))


def reshape(x: Value, shape: tuple[int, ...], where: str = "") -> Value:
    """``x`` in another shape of the same size; a reshape of a reshape is one reshape, or none."""
    if x.node.op == "reshape" and x.shape != shape:
        x = x.node.inputs[0]
    return x if x.shape == shape else apply("reshape", x, shape=shape, where=where)


def transpose(x: Value, perm: tuple[int, ...], where: str = "") -> Value:
    """Axis i of the result is axis ``perm[i]`` of ``x``. Two become one; a reshape when only axes of 1 move."""
    if x.node.op == "transpose":
        first = x.node.attrs["perm"]
        return transpose(x.node.inputs[0], tuple(first[a] for a in perm), where)
    if [a for a in perm if x.shape[a] != 1] == [a for a in range(len(perm)) if x.shape[a] != 1]:
        return reshape(x, tuple(x.shape[a] for a in perm), where)
    return apply("transpose", x, perm=perm, where=where)


def trim(x: Value, where: str = "") -> Value:
    """``x`` without its leading axes of one element, which numpy's broadcasting puts back."""
    lead = next((a for a, n in enumerate(x.shape) if n != 1), len(x.shape))
    return reshape(x, x.shape[lead:], where)


def broadcast(x: Value, shape: tuple[int, ...], where: str = "") -> Value:
    """``x`` broadcast to ``shape`` the numpy way; a reshape when no element is repeated."""
    if x.spec.size == prod(shape):
        return reshape(x, shape, where)
    return apply("broadcast", x, shape=shape, where=where)


def reduce(op: str, x: Value, axes: Iterable[int], keepdims: bool = False, where: str = "") -> Value:
    """``reduce_sum`` or ``reduce_max`` over any axes, one node for each contiguous run of them.

    Axes of one element cost nothing: they join a run when they lie beside it and are reshaped away otherwise.
    """
    chosen = {a % len(x.shape) for a in axes}
    kept = tuple(1 if a in chosen else n for a, n in enumerate(x.shape))
    shape = kept if keepdims else tuple(n for a, n in enumerate(kept) if a not in chosen)
    runs = _runs(x.shape, chosen)
    for run in runs:
        x = apply(op, x, axes=run, keepdims=keepdims or len(runs) > 1, where=where)
    return reshape(x, shape, where)


def _runs(shape: tuple[int, ...], chosen: set[int]) -> list[tuple[int, ...]]:
    runs: list[tuple[int, ...]] = []
    current: list[int] = []
    for axis, size in enumerate(shape):
        if axis in chosen or (size == 1 and current):
            current.append(axis)
        elif current:
            runs.append(tuple(current))
            current = []
    if current:
        runs.append(tuple(current))
    return [run for run in runs if any(shape[a] != 1 for a in run)]


def unbroadcast(gradient: Value, shape: tuple[int, ...]) -> Value:
    """The transpose of broadcasting: ``gradient`` summed over every axis along which ``shape`` was repeated."""
    if gradient.shape == shape:
        return gradient
    lead = len(gradient.shape) - len(shape)
    repeated = [a for a, n in enumerate(gradient.shape) if n != 1 and (a < lead or shape[a - lead] == 1)]
    return reshape(reduce("reduce_sum", gradient, repeated), shape)
