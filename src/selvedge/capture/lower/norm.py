"""Batch norm with frozen statistics, layer norm, group norm."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ... import ir
from ..tensor import Tensor, identity
from .arithmetic import binary
from .table import Call, lowers


def _channels(call: Call, x: Tensor, values: Tensor) -> Tensor:
    """[C] to be broadcast along axis 1 of ``x``."""
    return values.view((-1, *(1,) * (x.rank - 2)), call.where)


@lowers("batch_norm.default")
def batch_norm(
    call: Call,
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    mean: Tensor | None,
    var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn: bool,
) -> Tensor:
    """(x - mean) * (gamma / sqrt(var + eps)) + beta: Ioffe and Szegedy (2015), algorithm 2."""
    if training and mean is None:  # it has no running statistics: those of the batch are all there are
        return _over_batch(call, x, gamma, beta, eps)[0]
    call.require(not training, "export the model after model.eval(): batch norm must use its running statistics")
    call.require(mean is not None and var is not None, "set track_running_stats=True")
    assert mean is not None
    assert var is not None
    scale = call.unary("rsqrt", binary(call, "add", var, eps))
    if gamma is not None:
        scale = binary(call, "mul", gamma, scale)
    y = binary(call, "sub", x, _channels(call, x, mean))
    y = binary(call, "mul", y, _channels(call, x, scale))
    return y if beta is None else binary(call, "add", y, _channels(call, x, beta))


@lowers("_native_batch_norm_legit_no_training.default")
def batch_norm_no_training(
    call: Call,
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    mean: Tensor,
    var: Tensor,
    momentum: float,
    eps: float,
) -> tuple[Tensor | None, ...]:
    y = batch_norm(call, x, gamma, beta, mean, var, False, momentum, eps, False)
    return y, None, None


@lowers("_native_batch_norm_legit_functional.default")
def batch_norm_functional(
    call: Call,
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    mean: Tensor,
    var: Tensor,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor | None, ...]:
    """Over the batch, as algorithm 1 of Ioffe and Szegedy; with the new running statistics, of which the variance is
    the unbiased one."""
    if not training or call.live is None or not call.live.norms:
        return batch_norm(call, x, gamma, beta, mean, var, False, momentum, eps, False), None, None, mean, var
    y, flat, rstd = _over_batch(call, x, gamma, beta, eps)
    count, channels = prod(x.shape) // x.shape[1], x.shape[1]
    total = ir.reduce("reduce_sum", flat, (0, 1, 3), False, call.where)
    biased = call.apply("reciprocal", call.apply("square", ir.reshape(rstd, (channels,), call.where)))
    seen = binary(call, "mul", Tensor.plain(total), 1 / count)
    spread = binary(call, "mul", binary(call, "sub", Tensor.plain(biased), eps), count / (count - 1))
    moved = [
        binary(call, "add", binary(call, "mul", old, 1 - momentum), binary(call, "mul", now, momentum))
        for old, now in ((mean, seen), (var, spread))
    ]
    return y, None, None, *moved


def _over_batch(
    call: Call, x: Tensor, gamma: Tensor | None, beta: Tensor | None, eps: float
) -> tuple[Tensor, ir.Value, ir.Value]:
    """The result, with the input as [1, count, channels, 1] and its reciprocal standard deviations."""
    x = x.to((0, *range(2, x.rank), 1), call.where)
    count, channels = prod(x.shape) // x.shape[1], x.shape[1]
    call.require(count > 1, "give a larger batch: of one value a channel there is no variance")
    flat = ir.reshape(x.value, (1, count, channels, 1), call.where)
    xhat, rstd = ir.results("normalize", flat, eps=float(eps), where=call.where)
    y = x.like(ir.reshape(xhat, x.value.shape, call.where))
    return _affine(call, y, *(None if v is None else _channels(call, x, v) for v in (gamma, beta))), flat, rstd


def _affine(call: Call, y: Tensor, gamma: Tensor | None, beta: Tensor | None) -> Tensor:
    if gamma is not None:
        y = binary(call, "mul", y, gamma)
    return y if beta is None else binary(call, "add", y, beta)


@lowers("layer_norm.default")
def layer_norm(
    call: Call,
    x: Tensor,
    shape: Sequence[int],
    gamma: Tensor | None,
    beta: Tensor | None,
    eps: float,
    cudnn: bool = False,
) -> Tensor:
    """Over the trailing axes ``shape``; the rows may lie in any order."""
    inner = range(x.rank - len(shape), x.rank)
    x = x.to((*(p for p in x.perm if p not in inner), *inner), call.where)
    flat = ir.reshape(x.value, (x.value.spec.size // prod(shape), 1, 1, prod(shape)), call.where)
    y = ir.reshape(call.apply("normalize", flat, eps=float(eps)), x.value.shape, call.where)
    return _affine(call, x.like(y), gamma, beta)


@lowers("native_layer_norm.default")
def native_layer_norm(
    call: Call, x: Tensor, shape: Sequence[int], gamma: Tensor | None, beta: Tensor | None, eps: float
) -> tuple[Tensor | None, ...]:
    return layer_norm(call, x, shape, gamma, beta, eps), None, None


@lowers("group_norm.default")
def group_norm(
    call: Call,
    x: Tensor,
    groups: int,
    gamma: Tensor | None,
    beta: Tensor | None,
    eps: float,
    cudnn: bool,
) -> Tensor:
    """Over each group of channels and all positions; channels are stored last."""
    x = x.to((0, *range(2, x.rank), 1), call.where)
    n, c = x.shape[:2]
    flat = ir.reshape(x.value, (n, prod(x.shape[2:]), groups, c // groups), call.where)
    y = x.like(ir.reshape(call.apply("normalize", flat, eps=float(eps)), x.value.shape, call.where))
    weights = [None if v is None else _channels(call, x, v) for v in (gamma, beta)]
    return _affine(call, y, *weights)


@lowers("native_group_norm.default")
def native_group_norm(
    call: Call,
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    n: int,
    c: int,
    positions: int,
    groups: int,
    eps: float,
) -> tuple[Tensor | None, ...]:
    return group_norm(call, x, groups, gamma, beta, eps, False), None, None


@lowers("instance_norm.default")
def instance_norm(
    call: Call,
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    mean: Tensor | None,
    var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn: bool,
) -> Tensor:
    call.require(use_input_stats, "set track_running_stats=False")
    return group_norm(call, x, x.shape[1], gamma, beta, eps, cudnn)


@lowers("rms_norm.default")
def rms_norm(call: Call, x: Tensor, shape: Sequence[int], gamma: Tensor | None, eps: float | None) -> Tensor:
    """x / sqrt(mean(x^2) + eps): Zhang and Sennrich, "Root Mean Square Layer Normalization" (2019), eq. 4."""
    call.require(eps is not None, "give rms_norm an eps")
    assert eps is not None
    axes = [x.axis(d) for d in identity(x.rank)[-len(shape) :]]
    total = ir.reduce("reduce_sum", call.apply("square", x.value), axes, True, call.where)
    scale = call.unary("rsqrt", binary(call, "add", binary(call, "mul", x.like(total), 1 / prod(shape)), eps))
    return _affine(call, binary(call, "mul", x, scale), gamma, None)
