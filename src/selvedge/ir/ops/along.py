"""Rows along the middle axis of [A, R, C]: weighted sums of a few elements each, and running sums.

``resample`` is interpolation (nearest, linear, cubic), every kind of padding by copies, flips, rolls, windows that
overlap and choices by constant indices: each a table, as a sparse matrix in rows. Its gradient is the same row with the
transposed table.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..graph import Node, Spec, Value
from ..op import Arrays, Attrs, Cost, Op, apply, register
from ..rules import arity, attr, float_dtype, ints, rank, require

Grads = Sequence[Value | None]

# resample(x [A, R, C]){starts, index, weights} -> [A, N, C]: y[a, i] = sum of weights[t] * x[a, index[t]] for t in
# starts[i] .. starts[i + 1] - 1; without weights (an empty tuple), of x[a, index[t]]


def _resample_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    op = "resample"
    arity(op, specs, 1)
    rank(op, "x", specs[0], 3)
    a, rows, c = specs[0].shape
    starts, index = ints(op, attrs, "starts"), ints(op, attrs, "index")
    ordered = len(starts) >= 2 and starts[0] == 0 and all(i <= j for i, j in pairwise(starts))
    require(ordered and starts[-1] == len(index), op, "starts", starts, f"must rise from 0 to {len(index)}")
    require(all(i < rows for i in index), op, "index", index, f"must lie in 0..{rows - 1}")
    weights = attr(op, attrs, "weights")
    counted = isinstance(weights, tuple) and len(weights) in (0, len(index))
    require(counted, op, "weights", weights, f"must be () or a tuple of {len(index)} numbers")
    return (Spec((a, len(starts) - 1, c), float_dtype(op, specs)),)


def _resample(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    x, starts, index = arrays[0], attrs["starts"], np.array(attrs["index"], int)
    y = np.zeros((x.shape[0], len(starts) - 1, x.shape[2]), x.dtype)
    owner = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    seen = x[:, index]
    if attrs["weights"]:
        seen = seen * np.array(attrs["weights"], x.dtype)[:, None]
    np.add.at(y.swapaxes(0, 1), owner, seen.swapaxes(0, 1))
    return (y,)


def transposed(attrs: Attrs, rows: int) -> dict[str, Any]:
    """The table of the transposed matrix, which has ``rows`` rows."""
    starts, index, weights = attrs["starts"], attrs["index"], attrs["weights"]
    owner = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    order = np.argsort(np.array(index, int), kind="stable")
    counts = np.bincount(np.array(index, int), minlength=rows)
    return {
        "starts": (0, *(int(n) for n in np.cumsum(counts))),
        "index": tuple(int(owner[i]) for i in order),
        "weights": tuple(weights[i] for i in order) if weights else (),
    }


def _resample_gradient(node: Node, grads: Grads, needed: Sequence[bool]) -> Grads:
    return [grads[0] and apply("resample", grads[0], **transposed(node.attrs, node.inputs[0].shape[1]))]


def _resample_cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    a, _, c = ins[0].shape
    terms = a * len(attrs["index"]) * c
    return Cost(macs=terms) if attrs["weights"] else Cost(ops=terms)


# cumsum(x [A, R, C]){reverse}: each element with all before it, or all behind it


def _cumsum_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("cumsum", specs, 1)
    rank("cumsum", "x", specs[0], 3)
    reverse = attr("cumsum", attrs, "reverse")
    require(isinstance(reverse, bool), "cumsum", "reverse", reverse, "must be a bool")
    return (Spec(specs[0].shape, float_dtype("cumsum", specs)),)


def _cumsum(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    x = arrays[0]
    return (np.flip(np.flip(x, 1).cumsum(1), 1) if attrs["reverse"] else x.cumsum(1),)


def _cumsum_gradient(node: Node, grads: Grads, needed: Sequence[bool]) -> Grads:
    return [grads[0] and apply("cumsum", grads[0], reverse=not node.attrs["reverse"])]


def _cumsum_cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    return Cost(ops=ins[0].size)


register(Op("resample", _resample_infer, _resample, _resample_gradient, _resample_cost))
register(Op("cumsum", _cumsum_infer, _cumsum, _cumsum_gradient, _cumsum_cost))
