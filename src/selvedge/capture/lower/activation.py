"""Elementwise functions of one tensor."""

from __future__ import annotations

from math import log

from ..tensor import Tensor
from .arithmetic import binary, operand, where
from .table import Call, lowers


@lowers("relu6.default", "relu6_.default")
def relu6(call: Call, x: Tensor) -> Tensor:
    return call.unary("hardtanh", x, min=0.0, max=6.0)


@lowers("hardtanh.default", "hardtanh_.default")
def hardtanh(call: Call, x: Tensor, low: float, high: float) -> Tensor:
    return call.unary("hardtanh", x, min=float(low), max=float(high))


@lowers("gelu.default", "gelu_.default")
def gelu(call: Call, x: Tensor, approximate: str) -> Tensor:
    return call.unary("gelu", x, approximate=approximate)


@lowers("leaky_relu.default", "leaky_relu_.default")
def leaky_relu(call: Call, x: Tensor, slope: float) -> Tensor:
    return call.unary("leaky_relu", x, slope=float(slope))


@lowers("elu.default", "elu_.default")
def elu(call: Call, x: Tensor, alpha: float, scale: float, input_scale: float) -> Tensor:
    call.require(scale == 1 and input_scale == 1, "only ELU without scales; use torch.nn.ELU")
    return call.unary("elu", x, alpha=float(alpha))


@lowers("softplus.default")
def softplus(call: Call, x: Tensor, beta: float, threshold: float) -> Tensor:
    call.require(threshold == 20, "only the default threshold of 20")
    if beta == 1:
        return call.unary("softplus", x)
    return binary(call, "mul", call.unary("softplus", binary(call, "mul", x, beta)), 1 / beta)


@lowers("log_sigmoid.default")
def log_sigmoid(call: Call, x: Tensor) -> Tensor:
    """-softplus(-x)."""
    return call.unary("neg", call.unary("softplus", call.unary("neg", x)))


@lowers("mish.default", "mish_.default")
def mish(call: Call, x: Tensor) -> Tensor:
    return binary(call, "mul", x, call.unary("tanh", call.unary("softplus", x)))


@lowers("prelu.default")
def prelu(call: Call, x: Tensor, given: Tensor | float) -> Tensor:
    """x where x > 0, else slope * x; one slope a channel (axis 1)."""
    slope = operand(call, given, x)
    if slope.shape != ():
        slope = slope.view((-1, *(1,) * (x.rank - 2)) if x.rank > 1 else (1,) * x.rank, call.where)
    return where(call, binary(call, "greater", x, 0), x, binary(call, "mul", x, slope))


@lowers("exp2.default")
def exp2(call: Call, x: Tensor) -> Tensor:
    return call.unary("exp", binary(call, "mul", x, log(2)))
