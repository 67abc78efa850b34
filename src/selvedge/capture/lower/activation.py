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


@lowers("rrelu.default", "rrelu_.default")
def rrelu(call: Call, x: Tensor, low: float, high: float, training: bool = False, *_: object) -> Tensor:
    call.require(not training, "export the model after model.eval(): its slopes must not be random")
    return call.unary("leaky_relu", x, slope=(float(low) + float(high)) / 2)


@lowers("elu.default", "elu_.default")
def elu(call: Call, x: Tensor, alpha: float, scale: float, input_scale: float) -> Tensor:
    """scale * elu(input_scale * x) below 0, scale * x above."""
    if input_scale == 1:
        y = call.unary("elu", x, alpha=float(alpha))
    else:
        bent = binary(call, "mul", call.unary("expm1", binary(call, "mul", x, input_scale)), alpha)
        y = where(call, binary(call, "greater", x, 0), x, bent)
    return y if scale == 1 else binary(call, "mul", y, scale)


@lowers("selu.default", "selu_.default")
def selu(call: Call, x: Tensor) -> Tensor:
    """Klambauer et al., "Self-Normalizing Neural Networks" (2017), eq. 2 and 14."""
    return elu(call, x, 1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1)


@lowers("celu.default", "celu_.default")
def celu(call: Call, x: Tensor, alpha: float = 1) -> Tensor:
    return elu(call, x, alpha, 1, 1 / alpha)


@lowers("softplus.default")
def softplus(call: Call, x: Tensor, beta: float, threshold: float) -> Tensor:
    """The identity where beta * x > threshold."""
    scaled = x if beta == 1 else binary(call, "mul", x, beta)
    y = call.unary("softplus", scaled)
    y = y if beta == 1 else binary(call, "mul", y, 1 / beta)
    if threshold == 20:
        return y
    straight = binary(call, "greater", scaled, threshold)
    if threshold < 20:
        return where(call, straight, x, y)
    raise call.refuse("a threshold above 20 is not; leave it out")


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
