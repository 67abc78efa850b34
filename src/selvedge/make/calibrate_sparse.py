"""Small layers with sparse weights whose kernels are timed. They predict and do not learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import ir
from ..ir import Value

POINTS: Mapping[str, Any] = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1}


def weights(shape: tuple[int, ...], percent: int, seed: int = 0) -> np.ndarray:
    """Random, ``percent`` of them 0."""
    rng = np.random.default_rng([percent, seed, *shape])
    size = int(np.prod(shape))
    made = rng.normal(size=size).astype(np.float32)
    made[rng.permutation(size)[: size * percent // 100]] = 0
    return made.reshape(shape)


def graph(x: Value, y: Value) -> ir.Graph:
    """``y`` of input ``x`` with a bias and an activation behind it."""
    bias = ir.constant(np.linspace(-1, 1, y.shape[-1], dtype=np.float32))
    return ir.Graph({"x": x}, {}, {"output": ir.apply("relu", ir.apply("add", y, bias))})


def sparse_linear(rows: int, c: int, k: int, percent: int) -> ir.Graph:
    x, w = ir.input_leaf("x", ir.Spec((rows, c))), weights((c, k), percent)
    return graph(x, ir.apply("sparse_matmul", x, ir.constant(w), entries=int(np.count_nonzero(w))))


def sparse_conv(side: int, c: int, k: int, size: int, percent: int) -> ir.Graph:
    x, w = ir.input_leaf("x", ir.Spec((1, side, side, c))), weights((size, size, c, k), percent)
    padded: dict[str, Any] = {**POINTS, "padding": ((size // 2,) * 2,) * 2}
    return graph(x, ir.apply("sparse_conv2d", x, ir.constant(w), entries=int(np.count_nonzero(w)), **padded))
