"""Losses of class indices, and one-hot vectors."""

from __future__ import annotations

from math import prod

import numpy as np

from ... import ir
from ..tensor import Tensor
from .arithmetic import binary, not_equal, where
from .index import Index, picked
from .reduction import log_softmax, mean, sum_
from .shape import unsqueeze
from .table import Call, lowers

NONE, MEAN, SUM = 0, 1, 2


def _reduced(call: Call, each: Tensor, weights: Tensor | None, reduction: int) -> Tensor:
    """``weights``: of each term; None where all are 1."""
    if reduction == NONE:
        return each
    if reduction == SUM:
        return sum_(call, each, None)
    if weights is None:
        return mean(call, each, None)
    return binary(call, "div", sum_(call, each, None), sum_(call, weights, None))


def _nll(
    call: Call, logp: Tensor, target: Index, weight: Tensor | None, reduction: int, ignored: int, smoothing: float
) -> Tensor:
    """-weight[y] logp[y], and of its share of smoothing the mean over the classes. Labels out of range are refused when
    they come, but for ``ignored``, which need be no class."""
    dim = 1 if logp.rank > 1 else 0
    classes = logp.shape[dim]
    at = target if isinstance(target, Tensor) else Tensor.plain(ir.constant(target, "int32"))
    kept = not_equal(call, at, ignored) if isinstance(target, Tensor) or target == ignored else None
    found = picked(call, logp, dim, unsqueeze(call, at, dim), ignored).view(at.shape, call.where)
    weights = None
    if weight is not None:
        rows = picked(call, weight, 0, at.view((at.value.spec.size,), call.where), ignored)
        weights = rows.view(at.shape, call.where)
    elif kept is not None:
        weights = where(call, kept, call.number(1, logp), 0)

    def weighed(x: Tensor, by: Tensor | None) -> Tensor:
        return x if by is None else binary(call, "mul", x, by)

    each = call.unary("neg", weighed(found, weights))
    if not smoothing:
        return _reduced(call, each, weights, reduction)
    shaped = None if weight is None else weight.view((-1, *(1,) * (logp.rank - dim - 1)), call.where)
    spread = call.unary("neg", sum_(call, weighed(logp, shaped), [dim]))
    spread = spread if kept is None else where(call, kept, spread, 0)
    sharp = binary(call, "mul", _reduced(call, each, weights, reduction), 1 - smoothing)
    even = binary(call, "mul", _reduced(call, spread, weights, reduction), smoothing / classes)
    return binary(call, "add", sharp, even)


@lowers("nll_loss.default", "nll_loss2d.default", "nll_loss_nd.default")
def nll_loss(
    call: Call, logp: Tensor, target: Index, weight: Tensor | None, reduction: int = MEAN, ignored: int = -100
) -> Tensor:
    return _nll(call, logp, target, weight, reduction, ignored, 0.0)


@lowers("nll_loss_forward.default", "nll_loss2d_forward.default")
def nll_loss_forward(
    call: Call, logp: Tensor, target: Index, weight: Tensor | None, reduction: int, ignored: int
) -> tuple[Tensor, None]:
    return nll_loss(call, logp, target, weight, reduction, ignored), None


@lowers("cross_entropy_loss.default")
def cross_entropy_loss(
    call: Call,
    x: Tensor,
    target: Tensor | int,
    weight: Tensor | None,
    reduction: int = MEAN,
    ignored: int = -100,
    smoothing: float = 0.0,
) -> Tensor:
    """Of class indices, or of probabilities of x's own shape."""
    dim = 1 if x.rank > 1 else 0
    logp = log_softmax(call, x, dim)
    if not isinstance(target, Tensor) or not target.value.spec.is_float:
        return _nll(call, logp, target, weight, reduction, ignored, smoothing)
    classes = x.shape[dim]
    if smoothing:
        target = binary(call, "add", binary(call, "mul", target, 1 - smoothing), smoothing / classes)
    each = binary(call, "mul", logp, target)
    if weight is not None:
        each = binary(call, "mul", each, weight.view((-1, *(1,) * (x.rank - dim - 1)), call.where))
    each = call.unary("neg", sum_(call, each, [dim]))
    if reduction == MEAN:
        rows = prod(x.shape) // classes
        return binary(call, "mul", sum_(call, each, None), 1 / rows)
    return _reduced(call, each, None, reduction)


@lowers("one_hot.default")
def one_hot(call: Call, x: Tensor, classes: int = -1) -> Tensor:
    """Carried as float32: what integers PyTorch gives are converted before anything is done with them."""
    call.require(classes > 0, "give num_classes")
    call.require(x.value.dtype == "int32", "one-hot vectors are made of integers")
    wide = unsqueeze(call, x, x.rank)
    every = Tensor.plain(ir.constant(np.arange(classes), "int32"))
    return call.unary("convert", call.joint("equal", wide, every), dtype="float32")
