"""Connectionist temporal classification: Graves et al. (2006), equations 6 to 16, in logarithms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph import Node, Spec, Value
from ..op import Arrays, Attrs, Cost, Op, apply, register
from ..rules import arity, attr, float_dtype, rank, require
from .softmax import log_softmax

# ctc(logits [N, T, C], targets [N, S]){blank, zero_infinity} -> (loss, slope [N, T, C]): the mean of -log p(labels) by
# the number of a sample's labels, and its gradient, made beside it. A label that is the blank or negative ends a
# sample's. zero_infinity: a loss that is infinite, for want of steps, is 0, and so is its gradient.


def _infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("ctc", specs, 2)
    rank("ctc", "logits", specs[0], 3)
    rank("ctc", "targets", specs[1], 2)
    n, _, classes = specs[0].shape
    targets = (specs[1].shape[0], specs[1].dtype)
    require(targets == (n, "int32"), "ctc", "targets", specs[1], f"must be int32 [{n}, labels]")
    blank, zero = attr("ctc", attrs, "blank"), attr("ctc", attrs, "zero_infinity")
    require(isinstance(blank, int) and 0 <= blank < classes, "ctc", "blank", blank, f"must lie in 0..{classes - 1}")
    require(isinstance(zero, bool), "ctc", "zero_infinity", zero, "must be a bool")
    dtype = float_dtype("ctc", specs[:1])
    return Spec((), dtype), Spec(specs[0].shape, dtype)


def _evaluate(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    logits, targets = arrays
    logp = log_softmax(logits)
    losses, slope = [], np.exp(logp)
    for lp, row, y in zip(logp, targets, slope, strict=True):
        ends = np.flatnonzero((row < 0) | (row == attrs["blank"]))
        labels = row[: ends[0]] if len(ends) else row
        if len(labels) and labels.max() >= logits.shape[2]:
            raise ValueError(f"ctc: a label is {labels.max()}; must lie in 0..{logits.shape[2] - 1}")
        states = np.full(2 * len(labels) + 1, attrs["blank"])
        states[1::2] = labels
        alpha, beta = _passes(lp[:, states], states)
        whole = np.logaddexp.reduce(alpha[-1, -2:])
        lost = attrs["zero_infinity"] and np.isneginf(whole)
        share = 1 / max(1, len(labels))
        losses.append(0.0 if lost else -whole * share)
        for s, c in enumerate(states):
            y[:, c] -= np.exp(alpha[:, s] + beta[:, s] - (0 if lost else whole))
        y *= 0 if lost else share / len(targets)
    return np.asarray(np.mean(losses), logits.dtype), slope


def _passes(own: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[T, states] each: logarithms of the chance of what leads to a state, with it, and of what follows it."""
    steps, count = own.shape
    skips = np.array([s > 1 and s % 2 == 1 and states[s] != states[s - 2] for s in range(count)])
    alpha, beta = np.full((2, steps, count), -np.inf, own.dtype)
    alpha[0, :2] = own[0, :2]
    beta[-1, -2:] = 0
    for t in range(1, steps):
        before = alpha[t - 1]
        reached = before.copy()
        reached[1:] = np.logaddexp(reached[1:], before[:-1])
        reached[2:] = np.where(skips[2:], np.logaddexp(reached[2:], before[:-2]), reached[2:])
        alpha[t] = reached + own[t]
    for t in range(steps - 2, -1, -1):
        behind = beta[t + 1] + own[t + 1]
        reaches = behind.copy()
        reaches[:-1] = np.logaddexp(reaches[:-1], behind[1:])
        reaches[:-2] = np.where(skips[2:], np.logaddexp(reaches[:-2], behind[2:]), reaches[:-2])
        beta[t] = reaches
    return alpha, beta


def _gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
    require(grads[1] is None, "ctc", "gradient of the slope", grads[1], "must be None: it is saved")
    return [grads[0] and apply("mul", Value(node, 1), grads[0]), None]


def _cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    """A softmax and its difference; of each state and step two sums of logarithms there and back."""
    n, steps, _ = ins[0].shape
    return Cost(ops=5 * ins[0].size + 24 * n * steps * (2 * ins[1].shape[1] + 1))


register(Op("ctc", _infer, _evaluate, _gradient, _cost))
