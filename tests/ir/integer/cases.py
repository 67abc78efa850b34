"""A case for every int8 row: operands with their scales, attributes, and the row in real numbers by PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from selvedge.ir import Quant

Rng = np.random.Generator
Real = Callable[..., torch.Tensor]


@dataclass(frozen=True)
class Case:
    """``real``: the row's result in real numbers, of its operands in real numbers (float64). ``steps``: how many of
    the result's steps its integers may lie away from that. quants: of each operand, None where it is what it is."""

    op: str
    arrays: tuple[np.ndarray, ...]
    quants: tuple[Quant | None, ...]
    attrs: Mapping[str, Any]
    real: Real
    steps: float = 0.51


def quant(rng: Rng, low: float = 0.01, high: float = 0.1) -> Quant:
    return Quant((float(np.float32(rng.uniform(low, high))),), (int(rng.integers(-20, 21)),))


def codes(rng: Rng, *shape: int) -> np.ndarray:
    return rng.integers(-128, 128, shape).astype(np.int8)


def _conv(rng: Rng) -> Case:
    groups, (per_group, each) = int(rng.integers(1, 4)), rng.integers(1, 4, 2).tolist()
    x, w = codes(rng, 2, 6, 5, groups * per_group), codes(rng, 3, 2, per_group, groups * each)
    qx, y = quant(rng), quant(rng, 0.5, 2)
    scales = tuple(float(np.float32(s)) for s in rng.uniform(0.01, 0.1, groups * each))
    qw = Quant(scales, (0,), 3)
    bias = rng.integers(-2000, 2000, groups * each).astype(np.int32)
    attrs = {"stride": (1, 2), "padding": ((1, 0), (1, 1)), "dilation": (1, 1), "groups": groups}

    def real(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        image = F.pad(x.permute(0, 3, 1, 2), (1, 1, 1, 0))
        made = F.conv2d(image, w.permute(3, 2, 0, 1), stride=(1, 2), groups=groups).permute(0, 2, 3, 1)
        return made + b * torch.tensor(scales, dtype=torch.float64) * qx.scale[0]

    quants = (qx, qw)
    return Case(
        "int8_conv2d",
        (x, w, bias),
        (*quants, None),
        {**attrs, "quants": quants, "quant": y, "activation": "none"},
        real,
    )


def _linear(rng: Rng) -> Case:
    x, w, bias = codes(rng, 3, 7), codes(rng, 4, 7), rng.integers(-2000, 2000, 4).astype(np.int32)
    quants, y = (quant(rng), Quant((0.05078125,))), quant(rng, 0.5, 2)
    product = quants[0].scale[0] * quants[1].scale[0]
    attrs = {"quants": quants, "quant": y, "activation": "relu"}
    return Case("int8_linear", (x, w, bias), (*quants, None), attrs, lambda x, w, b: F.relu(x @ w.T + b * product))


def _two(op: str, function: Real) -> Callable[[Rng], Case]:
    def make(rng: Rng) -> Case:
        quants, y = (quant(rng), quant(rng)), quant(rng, 0.1, 0.3)
        attrs = {"quants": quants, "quant": y, "activation": "relu"}
        arrays = (codes(rng, 2, 3, 4), codes(rng, 3, 1))
        return Case(op, arrays, quants, attrs, lambda a, b: F.relu(function(a, b)))

    return make


def _pool(rng: Rng) -> Case:
    q = quant(rng)
    windows = {"windows_h": ((0, 2, 1), (1, 4, 1)), "windows_w": ((0, 3, 1), (2, 5, 1))}
    attrs = {**windows, "quants": (q,), "activation": "none"}

    def real(x: torch.Tensor) -> torch.Tensor:
        rows = [[x[:, a:b, c:d].mean((1, 2)) for c, d, _ in windows["windows_w"]] for a, b, _ in windows["windows_h"]]
        return torch.stack([torch.stack(row, 1) for row in rows], 1)

    return Case("int8_average_pool", (codes(rng, 2, 4, 5, 3),), (q,), attrs, real)


def _mean(rng: Rng) -> Case:
    q, y = quant(rng), quant(rng)
    attrs = {"axes": (1, 2), "keepdims": True, "quants": (q,), "quant": y}
    return Case("int8_mean", (codes(rng, 2, 4, 5, 3),), (q,), attrs, lambda x: x.mean((1, 2), keepdim=True), 1)


def _softmax(rng: Rng) -> Case:
    q, y = quant(rng), Quant((1 / 256,), (-128,))
    attrs = {"beta": 1.0, "quants": (q,), "quant": y}
    return Case("int8_softmax", (codes(rng, 3, 10),), (q,), attrs, lambda x: x.softmax(-1), 1)


def _table(rng: Rng) -> Case:
    q, y = quant(rng), Quant((1 / 128,))
    reals = np.tanh(q.scale[0] * (np.arange(-128, 128) - q.zero_point[0]))
    entries = np.clip(np.round(reals * 128), -128, 127).astype(np.int8)
    attrs = {"quants": (q,), "quant": y}
    return Case("int8_table", (codes(rng, 4, 5), entries), (q, None), attrs, lambda x, _: torch.tanh(x))


def _unary(op: str, function: Real, **attrs: Any) -> Callable[[Rng], Case]:
    def make(rng: Rng) -> Case:
        q, y = quant(rng), quant(rng)
        return Case(op, (codes(rng, 4, 5),), (q,), {"quants": (q,), "quant": y, **attrs}, function, 1)

    return make


def _quantise(rng: Rng) -> Case:
    return Case("quantise", (rng.normal(0, 3, (4, 5)).astype(np.float32),), (None,), {"quant": quant(rng)}, lambda x: x)


def _dequantise(rng: Rng) -> Case:
    q = quant(rng)
    attrs = {"quants": (q,), "dtype": "float64"}
    return Case("dequantise", (codes(rng, 4, 5),), (q,), attrs, lambda x: x, 1e-6)


def _nearest(rng: Rng) -> Case:
    attrs = {"rows": (0, 0, 1, 1, 2, 2), "columns": (0, 0, 1, 1)}

    def real(x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(x.permute(0, 3, 1, 2), scale_factor=2, mode="nearest").permute(0, 2, 3, 1)

    q = quant(rng)
    return Case("nearest", (codes(rng, 2, 3, 2, 5),), (q,), attrs, real, 1e-9)


MAKERS: dict[str, Callable[[Rng], Case]] = {
    "int8_conv2d": _conv,
    "int8_linear": _linear,
    "int8_add": _two("int8_add", torch.add),
    "int8_mul": _two("int8_mul", torch.mul),
    "int8_average_pool": _pool,
    "int8_mean": _mean,
    "int8_softmax": _softmax,
    "int8_table": _table,
    "int8_relu": _unary("int8_relu", F.relu, activation="relu"),
    "requantise": _unary("requantise", lambda x: x),
    "quantise": _quantise,
    "dequantise": _dequantise,
    "nearest": _nearest,
}
