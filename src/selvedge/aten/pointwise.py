"""Rows of one element at a time, and sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..ir import Node, Value
from .sheet import DTYPES, Row, Sheet


def elementwise(meaning: Callable[..., Tensor], *fields: str) -> Row:
    """meaning(*operands, *attributes); operands broadcast."""

    def row(sheet: Sheet, node: Node) -> None:
        rank = len(node.specs[0].shape)
        order = sheet.order(node.inputs, rank)
        given = [sheet.lifted(v, rank, order) for v in node.inputs]
        sheet.put(Value(node), meaning(*given, *(node.attrs[f] for f in fields)), order)

    return row


def _reduce(meaning: Callable[..., Tensor]) -> Row:
    def row(sheet: Sheet, node: Node) -> None:
        (x,), axes, keep = node.inputs, node.attrs["axes"], bool(node.attrs["keepdims"])
        order = sheet.order((x,), len(x.shape))
        made = meaning(sheet.of(x, order), [order.index(a) for a in axes], keep)
        left = [a for a in order if keep or a not in axes]
        sheet.put(Value(node), made, tuple(sorted(left).index(a) for a in left))

    return row


def _last(meaning: Callable[..., Tensor]) -> Row:
    def row(sheet: Sheet, node: Node) -> None:
        sheet.put(Value(node), meaning(sheet.of(node.inputs[0]), -1))

    return row


def _hardtanh(x: Tensor, low: float, high: float) -> Tensor:
    """An infinite end is none."""
    ends = [None if abs(end) == float("inf") else end for end in (low, high)]
    return x.clone() if ends == [None, None] else torch.clamp(x, min=ends[0], max=ends[1])


def _softplus(x: Tensor) -> Tensor:
    return F.softplus(x, 1.0, 20.0)


def _power(x: Tensor, exponent: float) -> Tensor:
    return torch.pow(x, exponent)


def _convert(x: Tensor, dtype: str) -> Tensor:
    return x.to(DTYPES[dtype])


_SAME: dict[str, Any] = {
    **{
        name: getattr(torch, name)
        for name in (
            "neg", "exp", "log", "log1p", "sin", "cos", "sqrt", "reciprocal", "abs", "sign", "square", "erf", "erfc",
            "expm1", "log2", "log10", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "floor",
            "ceil", "trunc", "round", "sigmoid", "tanh", "relu", "add", "sub", "mul", "div", "maximum", "minimum",
            "where", "rsqrt",
        )
    },
    "equal": torch.eq, "greater": torch.gt, "greater_equal": torch.ge, "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish, "less": torch.lt, "less_equal": torch.le, "not_equal": torch.ne, "silu": F.silu,
    "softplus": _softplus,
}  # fmt: skip

POINTWISE: dict[str, Row] = {
    **{name: elementwise(meaning) for name, meaning in _SAME.items()},
    "clamp": elementwise(_hardtanh, "min", "max"),
    "convert": elementwise(_convert, "dtype"),
    "elu": elementwise(F.elu, "alpha"),
    "gelu": elementwise(lambda x, how: F.gelu(x, approximate=how), "approximate"),
    "hardtanh": elementwise(_hardtanh, "min", "max"),
    "leaky_relu": elementwise(F.leaky_relu, "slope"),
    "log_softmax": _last(F.log_softmax),
    "power": elementwise(_power, "exponent"),
    "reduce_max": _reduce(torch.amax),
    "reduce_sum": _reduce(torch.sum),
    "softmax": _last(F.softmax),
}
