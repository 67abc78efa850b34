"""Float convolutions and products as operators, each with the bias and the activation that follow it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from selvedge.ir import Node

from .fused import is_layer
from .geometry import padding_of
from .model import Option
from .writing import Rule, Writing

OHWI = (3, 0, 1, 2)  # of HWIO
DEPTHWISE = (2, 0, 1, 3)


def strides(stride: tuple[int, int], dilation: tuple[int, int] = (1, 1)) -> dict[str, Option]:
    """As options."""
    (sh, sw), (dh, dw) = stride, dilation
    return {"stride_h": sh, "stride_w": sw, "dilation_h": dh, "dilation_w": dw}


def is_depthwise(node: Node, per_group: int, outs: int) -> bool:
    """Each channel by itself."""
    groups = node.attrs["groups"]
    return bool(groups > 1 and per_group == 1 and outs % groups == 0)


def _convolution(w: Writing, node: Node) -> int:
    (x, weight), at = node.inputs, node.attrs
    kh, kw, per_group, outs = weight.shape
    depthwise = is_depthwise(node, per_group, outs)
    chain, place = w.fused.of(node), w.of(x)
    padding = padding_of(x.shape[1:3], (kh, kw), at["stride"], at["padding"], at["dilation"])
    if padding is None:
        place = w.padded(place, ((0, 0), *at["padding"], (0, 0)))
    options = strides(at["stride"], at["dilation"]) | {"padding": padding or "valid", "activation": chain.activation}
    if depthwise:
        options["depth_multiplier"] = outs // at["groups"]
    kernel, bias = w.of(weight, DEPTHWISE if depthwise else OHWI), None if chain.bias is None else w.of(chain.bias)
    name = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    return convolved(w, name, (place, kernel, bias), node.specs[0].shape, chain.last, **options)


def convolved(
    w: Writing, name: str, operands: tuple[int, int, int | None], shape: Sequence[int], node: Node | None,
    **options: Option,
) -> int:  # fmt: skip
    """LiteRT's convolutions must have a bias: zeros, where there is none."""
    place, kernel, bias = operands
    given = w.constant(np.zeros(shape[-1], np.float32)) if bias is None else bias
    return w.floats(name, (place, kernel, given), shape, node, **options)


def _product(w: Writing, node: Node) -> int:
    (a, b), at, shape = node.inputs, node.attrs, node.specs[0].shape
    if not is_layer(node):
        return w.floats("BATCH_MATMUL", (w.of(a), w.of(b)), shape, node, adj_x=at["trans_a"], adj_y=at["trans_b"])
    chain = w.fused.of(node)
    inputs = [w.of(a), w.of(b, None if at["trans_b"] else (1, 0)), None if chain.bias is None else w.of(chain.bias)]
    return w.floats("FULLY_CONNECTED", inputs, shape, chain.last, activation=chain.activation)


RULES: Mapping[str, Rule] = MappingProxyType({"conv2d": _convolution, "matmul": _product})
