"""Matrix product of two matrices, or of two equally long batches of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph import Node, Spec, Value
from ..op import Arrays, Attrs, Cost, Op, apply, register
from ..rules import arity, attr, float_dtype, require


def _sides(specs: Sequence[Spec], attrs: Attrs) -> tuple[int, int, int, int]:
    """Rows, inner length of a, inner length of b, columns."""
    m, k = specs[0].shape[-2:][:: -1 if attrs["trans_a"] else 1]
    inner, n = specs[1].shape[-2:][:: -1 if attrs["trans_b"] else 1]
    return m, k, inner, n


def _infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("matmul", specs, 2)
    a, b = specs
    for field in ("trans_a", "trans_b"):
        require(isinstance(attr("matmul", attrs, field), bool), "matmul", field, attrs[field], "must be a bool")
    same = len(a.shape) == len(b.shape) >= 2 and a.shape[:-2] == b.shape[:-2]
    require(same, "matmul", "shapes", (a.shape, b.shape), "must be matrices with equal leading axes")
    m, k, inner, n = _sides(specs, attrs)
    require(k == inner, "matmul", "inner lengths", (k, inner), "must be equal")
    return (Spec((*a.shape[:-2], m, n), float_dtype("matmul", specs)),)


def _evaluate(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    a, b = arrays
    return (np.matmul(a.swapaxes(-1, -2) if attrs["trans_a"] else a, b.swapaxes(-1, -2) if attrs["trans_b"] else b),)


def _gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> Sequence[Value | None]:
    """dA = dY B', dB = A' dY, each in the orientation in which its operand is stored."""
    dy, (a, b) = grads[0], node.inputs
    ta, tb = node.attrs["trans_a"], node.attrs["trans_b"]
    da = db = None
    if dy is not None and needed[0]:
        left, right, tl, tr = (b, dy, tb, True) if ta else (dy, b, False, not tb)
        da = apply("matmul", left, right, trans_a=tl, trans_b=tr)
    if dy is not None and needed[1]:
        left, right, tl, tr = (dy, a, True, ta) if tb else (a, dy, not ta, False)
        db = apply("matmul", left, right, trans_a=tl, trans_b=tr)
    return [da, db]


def _cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    return Cost(macs=outs[0].size * _sides(ins, attrs)[1])


register(Op("matmul", _infer, _evaluate, _gradient, _cost))
