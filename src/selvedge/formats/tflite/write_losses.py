"""Softmax, normalisation and the losses that have rows of their own, as operators."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from selvedge.ir import Node, Spec
from selvedge.ir.ops.loss import IGNORED

from .write_pointwise import scaled, shifted, times
from .writing import Rule, Writing


def last_sum(w: Writing, place: int) -> int:
    """Over the last axis, which stays."""
    shape = w.shape(place)
    return w.floats("SUM", (place, w.numbers([len(shape) - 1])), (*shape[:-1], 1), keep_dims=True)


def _softmax(w: Writing, node: Node) -> int:
    return w.like("SOFTMAX", w.of(node.inputs[0]), node=node, beta=1.0)


def _softmax_grad(w: Writing, node: Node) -> int:
    """y (dy - sum(dy y))."""
    dy, y = map(w.of, node.inputs)
    return times(w, y, w.like("SUB", dy, last_sum(w, times(w, dy, y))), node)


def _log_softmax(w: Writing, node: Node) -> int:
    return w.like("LOG_SOFTMAX", w.of(node.inputs[0]), node=node)


def _log_softmax_grad(w: Writing, node: Node) -> int:
    """dy - exp(y) sum(dy)."""
    dy, y = map(w.of, node.inputs)
    return w.like("SUB", dy, times(w, w.like("EXP", y), last_sum(w, dy)), node=node)


def _normalize(w: Writing, node: Node) -> tuple[int, int]:
    x, (shape, statistics) = w.of(node.inputs[0]), (s.shape for s in node.specs)
    centred = w.like("SUB", x, _mean(w, x, statistics))
    variance = _mean(w, w.like("SQUARE", centred), statistics)
    rstd = w.like("RSQRT", shifted(w, variance, node.attrs["eps"]))
    return w.floats("MUL", (centred, rstd), shape, node), rstd


def _normalize_grad(w: Writing, node: Node) -> int:
    """rstd (dy - mean(dy) - xhat mean(dy xhat))."""
    dy, xhat, rstd = map(w.of, node.inputs)
    statistics = w.shape(rstd)
    along = times(w, xhat, _mean(w, times(w, dy, xhat), statistics))
    return times(w, w.like("SUB", w.like("SUB", dy, _mean(w, dy, statistics)), along), rstd, node)


def _mean(w: Writing, place: int, shape: tuple[int, ...]) -> int:
    """Over axes 1 and 3."""
    return w.floats("MEAN", (place, w.numbers([1, 3])), shape, keep_dims=True)


def _counted(w: Writing, labels: int) -> int:
    """1 for each label that counts, else 0: [N]."""
    ignored = w.operator(
        "NOT_EQUAL", (labels, w.numbers([IGNORED] * w.shape(labels)[0])), Spec(w.shape(labels), "bool")
    )
    return w.floats("CAST", (ignored,), w.shape(labels))


def _target(w: Writing, labels: int, classes: int, smoothing: float) -> int:
    """[N, classes]: what is not a class, as what is ignored, has a row of zeros."""
    hot = (labels, w.numbers(classes), w.real(1 - smoothing), w.real(0))
    target = w.floats("ONE_HOT", hot, (*w.shape(labels), classes), axis=-1)
    if not smoothing:
        return target
    share = scaled(w, w.reshaped(_counted(w, labels), (*w.shape(labels), 1)), smoothing / classes)
    return w.like("ADD", target, share)


def _count(w: Writing, labels: int) -> int:
    """How many labels count: []."""
    return w.floats("SUM", (_counted(w, labels), w.numbers([0])), ())


def _cross_entropy(w: Writing, node: Node) -> tuple[int, int]:
    logits, labels = map(w.of, node.inputs)
    logp = w.like("LOG_SOFTMAX", logits)
    target = _target(w, labels, w.shape(logits)[1], node.attrs["label_smoothing"])
    total = w.floats("SUM", (times(w, target, logp), w.numbers([0, 1])), ())
    return w.floats("DIV", (w.like("NEG", total), _count(w, labels)), (), node), w.like("EXP", logp)


def _cross_entropy_grad(w: Writing, node: Node) -> int:
    """(probabilities - target) dloss / count, of the rows that count."""
    probs, labels, dloss = map(w.of, node.inputs)
    target = _target(w, labels, w.shape(probs)[1], node.attrs["label_smoothing"])
    each = w.like("SUB", probs, target)
    rows = w.reshaped(_counted(w, labels), (*w.shape(labels), 1))
    factor = w.floats("DIV", (dloss, _count(w, labels)), ())
    return times(w, each, w.floats("MUL", (rows, factor), w.shape(rows)), node)


def _bce_logits(w: Writing, node: Node) -> int:
    """max(x, 0) - x y + log(1 + exp(-|x|)), of which the last is accurate to the rounding of 1."""
    x, y = map(w.of, node.inputs)
    shape = node.specs[0].shape
    products = w.floats("MUL", (x, y), shape)
    rest = w.like("LOG", shifted(w, w.like("EXP", w.like("NEG", w.like("ABS", x))), 1))
    return w.floats("ADD", (w.floats("SUB", (w.like("RELU", x), products), shape), rest), shape, node)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "bce_logits": _bce_logits,
        "cross_entropy": _cross_entropy,
        "cross_entropy_grad": _cross_entropy_grad,
        "log_softmax": _log_softmax,
        "log_softmax_grad": _log_softmax_grad,
        "normalize": _normalize,
        "normalize_grad": _normalize_grad,
        "softmax": _softmax,
        "softmax_grad": _softmax_grad,
    }
)
