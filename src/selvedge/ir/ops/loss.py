"""Losses that are computed together with what their gradient needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..build import unbroadcast
from ..graph import Node, Spec, Value
from ..op import Arrays, Attrs, Cost, Op, apply, register
from ..rules import arity, broadcast, float_dtype, number, rank, require
from .elementwise import per_element
from .softmax import log_softmax

# cross_entropy(logits, labels){label_smoothing} -> (loss, probabilities): the mean over rows whose label is not IGNORED

IGNORED = -100  # PyTorch's ignore_index; SV_IGNORED


def _labels(op: str, logits: Spec, labels: Spec) -> None:
    rank(op, "logits", logits, 2)
    expected = Spec((logits.shape[0],), "int32")
    require(labels == expected, op, "labels", labels, f"must be {expected}")


def _smoothing(op: str, attrs: Attrs) -> None:
    smoothing = number(op, attrs, "label_smoothing")
    require(0 <= smoothing <= 1, op, "label_smoothing", smoothing, "must lie in 0..1")


def _infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("cross_entropy", specs, 2)
    _labels("cross_entropy", *specs)
    _smoothing("cross_entropy", attrs)
    dtype = float_dtype("cross_entropy", specs[:1])
    return Spec((), dtype), Spec(specs[0].shape, dtype)


def _target(labels: np.ndarray, classes: int, smoothing: float, dtype: np.dtype) -> np.ndarray:
    """One-hot labels mixed with the uniform distribution: Szegedy et al. (2016), section 7; zeros where ignored."""
    counted = labels != IGNORED
    known = labels[counted]
    if known.size and not (known.min() >= 0 and known.max() < classes):
        raise ValueError(f"cross_entropy: labels are {known.min()}..{known.max()}; must lie in 0..{classes - 1}")
    target = np.zeros((labels.size, classes), dtype)
    target[counted] = smoothing / classes
    target[np.flatnonzero(counted), known] += 1 - smoothing
    return target


def _over(value: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Divided by the rows that count; of none, NaN."""
    count = np.count_nonzero(labels != IGNORED)
    return np.asarray(value / count if count else np.full_like(value, np.nan), value.dtype)


def _evaluate(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    logits, labels = arrays
    logp = log_softmax(logits)
    target = _target(labels, logits.shape[1], attrs["label_smoothing"], logits.dtype)
    return _over(np.asarray(-(target * logp).sum(), logits.dtype), labels), np.exp(logp)


def _gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
    require(grads[1] is None, "cross_entropy", "gradient of probs", grads[1], "must be None: they are saved")
    if grads[0] is None:
        return [None, None]
    return [apply("cross_entropy_grad", Value(node, 1), node.inputs[1], grads[0], **node.attrs), None]


def _grad_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    op = "cross_entropy_grad"
    arity(op, specs, 3)
    _labels(op, *specs[:2])
    _smoothing(op, attrs)
    require(specs[2].shape == (), op, "dloss shape", specs[2].shape, "must be ()")
    return (Spec(specs[0].shape, float_dtype(op, (specs[0], specs[2]))),)


def _grad(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    probs, labels, dloss = arrays
    target = _target(labels, probs.shape[1], attrs["label_smoothing"], probs.dtype)
    return (np.where((labels != IGNORED)[:, None], probs - target, 0) * _over(dloss, labels),)


def _cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    return Cost(ops=6 * ins[0].size)


# bce_logits(x, y), per element


def _bce_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("bce_logits", specs, 2)
    return (Spec(broadcast("bce_logits", specs), float_dtype("bce_logits", specs)),)


def _bce(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    """-y log(sigmoid(x)) - (1 - y) log(1 - sigmoid(x)), without overflow."""
    x, y = arrays
    return (np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x))),)


def _bce_gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
    dy, (x, y) = grads[0], node.inputs
    if dy is None:
        return [None, None]
    dx = apply("mul", dy, apply("sub", apply("sigmoid", x), y)) if needed[0] else None
    dtarget = apply("neg", apply("mul", dy, x)) if needed[1] else None
    return [dx and unbroadcast(dx, x.shape), dtarget and unbroadcast(dtarget, y.shape)]


register(Op("cross_entropy", _infer, _evaluate, _gradient, _cost))
register(Op("cross_entropy_grad", _grad_infer, _grad, None, _cost))
register(Op("bce_logits", _bce_infer, _bce, _bce_gradient, per_element, elementwise=True))
