"""Softmax and log-softmax over the last axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..graph import Node, Spec, Value
from ..op import Attrs, Cost, Op, apply, register
from ..rules import arity, float_dtype, require


def log_softmax(x: np.ndarray) -> np.ndarray:
    """x - log(sum(exp(x))), shifted by the maximum."""
    shifted = x - x.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))


def softmax(x: np.ndarray) -> np.ndarray:
    """exp(x) / sum(exp(x)), shifted by the maximum."""
    e = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def _softmax_grad(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(y * (dy - (dy * y).sum(-1, keepdims=True)))


def _log_softmax_grad(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(dy - np.exp(y) * dy.sum(-1, keepdims=True))


def _cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
    """Maximum, difference, exponential, sum and quotient of each element."""
    return Cost(ops=5 * outs[0].size)


def _row(name: str, inputs: int, meaning: Callable[..., np.ndarray], grad: str | None) -> None:
    def infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
        arity(name, specs, inputs)
        shapes = [s.shape for s in specs]
        require(len(shapes[0]) >= 1 and len(set(shapes)) == 1, name, "shapes", shapes, "equal, of >= 1 axis")
        return (Spec(shapes[0], float_dtype(name, specs)),)

    def gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> list[Value | None]:
        return [grads[0] and apply(str(grad), grads[0], Value(node))]

    register(Op(name, infer, lambda arrays, at: (meaning(*arrays),), gradient if grad else None, _cost))


_row("softmax", 1, softmax, "softmax_grad")
_row("softmax_grad", 2, _softmax_grad, None)
_row("log_softmax", 1, log_softmax, "log_softmax_grad")
_row("log_softmax_grad", 2, _log_softmax_grad, None)
