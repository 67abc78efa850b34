"""Normalisation to zero mean and unit variance over axes 1 and 3 of a 4-D view [A, B, G, D].

Layer norm is [rows, 1, 1, D]; group norm of an NHWC image is [N, H*W, G, C/G]. Ba, Kiros and Hinton, "Layer
Normalization" (2016), eq. 3; Wu and He, "Group Normalization" (2018), eq. 1-2. The variance is the biased one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph import Node, Spec, Value
from ..op import Arrays, Attrs, Cost, Op, apply, register
from ..rules import arity, float_dtype, number, rank, require

AXES = (1, 3)


def _statistics(x: Spec) -> tuple[int, ...]:
    return (x.shape[0], 1, x.shape[2], 1)


def _infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("normalize", specs, 1)
    rank("normalize", "x", specs[0], 4)
    eps = number("normalize", attrs, "eps")
    require(eps >= 0, "normalize", "eps", eps, "must be >= 0")
    dtype = float_dtype("normalize", specs)
    return Spec(specs[0].shape, dtype), Spec(_statistics(specs[0]), dtype)


def _evaluate(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    centred = arrays[0] - arrays[0].mean(AXES, keepdims=True)
    rstd = 1 / np.sqrt(np.square(centred).mean(AXES, keepdims=True) + attrs["eps"])
    return centred * rstd, rstd


def _gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
    require(grads[1] is None, "normalize", "gradient of rstd", grads[1], "must be None: it is a saved statistic")
    return [grads[0] and apply("normalize_grad", grads[0], Value(node, 0), Value(node, 1))]


def _grad_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    op = "normalize_grad"
    arity(op, specs, 3)
    rank(op, "dy", specs[0], 4)
    require(specs[1].shape == specs[0].shape, op, "xhat shape", specs[1].shape, f"must be {specs[0].shape}")
    expected = _statistics(specs[0])
    require(specs[2].shape == expected, op, "rstd shape", specs[2].shape, f"must be {expected}")
    return (Spec(specs[0].shape, float_dtype(op, specs)),)


def _grad(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    dy, xhat, rstd = arrays
    along = (dy * xhat).mean(AXES, keepdims=True)
    return (rstd * (dy - dy.mean(AXES, keepdims=True) - xhat * along),)


def _cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    """Two passes for the statistics, a difference and a product for each element."""
    return Cost(ops=6 * ins[0].size)


register(Op("normalize", _infer, _evaluate, _gradient, _cost))
register(Op("normalize_grad", _grad_infer, _grad, None, _cost))
