"""Losses and norms: see ``ops/loss.py`` and ``ops/normalize.py``. A label out of range counts as no class here: what
gives labels looks at them first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..build import constant, reduce, reshape, scalar
from ..graph import Node, Value
from ..op import apply
from ..ops.loss import IGNORED
from .rule import Rule, add, compare, mul, where


def _counted(labels: Value) -> Value:
    """bool [N, 1]: the label is not ignored."""
    return compare("not_equal", reshape(labels, (*labels.shape, 1)), IGNORED)


def _target(labels: Value, like: Value, smoothing: float) -> Value:
    """[N, classes], zeros where ignored."""
    classes = like.shape[1]
    every = constant(np.arange(classes, dtype=np.int32)[None])
    hit = apply("convert", apply("equal", reshape(labels, (*labels.shape, 1)), every), dtype=like.dtype)
    if not smoothing:
        return hit
    return where(_counted(labels), add(mul(hit, 1 - smoothing), smoothing / classes), 0)


def _over(value: Value, labels: Value) -> Value:
    """Divided by the rows that count; of none, NaN: 0 / 0."""
    counted = apply("convert", _counted(labels), dtype=value.dtype)
    count = reshape(reduce("reduce_sum", counted, (0,)), ())
    known = where(compare("greater", count, 0), value, 0)
    return apply("div", known, count)


def _cross_entropy(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    logits, labels = inputs
    logp = apply("log_softmax", logits)
    target = _target(labels, logits, node.attrs["label_smoothing"])
    # Where a logit is -inf its log is too, and 0 times that is no number: only what counts is multiplied.
    products = where(compare("equal", target, 0), 0, mul(target, logp))
    loss = apply("neg", reshape(reduce("reduce_sum", products, (0, 1)), ()))
    return _over(loss, labels), apply("exp", logp)


def _cross_entropy_grad(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    probs, labels, dloss = inputs
    target = _target(labels, probs, node.attrs["label_smoothing"])
    return (mul(where(_counted(labels), apply("sub", probs, target), 0), _over(dloss, labels)),)


def _bce(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    x, y = inputs
    tail = apply("log1p", apply("exp", apply("neg", apply("abs", x))))
    return (apply("add", apply("sub", apply("maximum", x, scalar(0, x)), mul(x, y)), tail),)


def _mean(x: Value) -> Value:
    """Over axes 1 and 3, which stay."""
    return mul(reduce("reduce_sum", x, (1, 3), keepdims=True), 1 / (x.shape[1] * x.shape[3]))


def _normalize(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    (x,) = inputs
    centred = apply("sub", x, _mean(x))
    rstd = apply("rsqrt", add(_mean(mul(centred, centred)), node.attrs["eps"]))
    return mul(centred, rstd), rstd


def _normalize_grad(node: Node, inputs: Sequence[Value]) -> Sequence[Value]:
    dy, xhat, rstd = inputs
    along = _mean(mul(dy, xhat))
    return (mul(rstd, apply("sub", apply("sub", dy, _mean(dy)), mul(xhat, along))),)


LOSS: dict[str, Rule] = {
    "bce_logits": _bce,
    "cross_entropy": _cross_entropy,
    "cross_entropy_grad": _cross_entropy_grad,
    "normalize": _normalize,
    "normalize_grad": _normalize_grad,
}
