"""Sums and maxima over one contiguous run of axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..build import broadcast, reduce, reshape
from ..graph import Node, Spec, Value
from ..op import Arrays, Attrs, Cost, Op, apply, register
from ..rules import arity, attr, float_dtype, ints, require


def _kept(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(1 if a in axes else n for a, n in enumerate(shape))


def _row(name: str, meaning: np.ufunc, gradient: object) -> None:
    def infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
        arity(name, specs, 1)
        shape = specs[0].shape
        axes = ints(name, attrs, "axes")
        run = bool(axes) and axes == tuple(range(axes[0], axes[0] + len(axes))) and axes[-1] < len(shape)
        require(run, name, "axes", axes, f"must be one contiguous run of the axes of {shape}")
        keep = attr(name, attrs, "keepdims")
        short = tuple(n for a, n in enumerate(shape) if a not in axes)
        return (Spec(_kept(shape, axes) if keep else short, float_dtype(name, specs)),)

    def evaluate(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
        return (np.asarray(meaning.reduce(arrays[0], axis=attrs["axes"], keepdims=attrs["keepdims"])),)

    register(Op(name, infer, evaluate, gradient, _cost))  # type: ignore[arg-type]


def _cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    return Cost(ops=ins[0].size)


def _sum_gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
    shape = node.inputs[0].shape
    return [grads[0] and broadcast(reshape(grads[0], _kept(shape, node.attrs["axes"])), shape)]


def _max_gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
    """Shared equally among the elements that attain the maximum, as PyTorch's ``amax``."""
    dy, x, axes = grads[0], node.inputs[0], node.attrs["axes"]
    if dy is None:
        return [None]
    kept = _kept(x.shape, axes)
    hit = apply("convert", apply("equal", x, reshape(Value(node), kept)), dtype=x.dtype)
    share = apply("div", reshape(dy, kept), reduce("reduce_sum", hit, axes, keepdims=True))
    return [apply("mul", hit, share)]


_row("reduce_sum", np.add, _sum_gradient)
_row("reduce_max", np.maximum, _max_gradient)
