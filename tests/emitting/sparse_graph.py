"""A prediction with sparse layers of every kind: windows and pixels, many pixels and few, enough inputs and too few."""

from __future__ import annotations

import numpy as np

from selvedge import ir
from selvedge.ir import Value


def _weights(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    made = rng.normal(size=shape).astype(dtype)
    made[rng.random(shape) < 0.8] = 0
    return made


def _conv(rng: np.random.Generator, x: Value, k: int, size: int, stride: int = 1) -> Value:
    w, pad = _weights(rng, (size, size, x.shape[-1], k), x.dtype), size // 2
    return ir.apply(
        "sparse_conv2d", x, ir.constant(w), stride=(stride, stride), padding=((pad, pad), (pad, pad)), dilation=(1, 1),
        groups=1, entries=int(np.count_nonzero(w)),
    )  # fmt: skip


def _linear(rng: np.random.Generator, x: Value, k: int) -> Value:
    w = _weights(rng, (x.shape[-1], k), x.dtype)
    return ir.apply("sparse_matmul", x, ir.constant(w), entries=int(np.count_nonzero(w)))


def _finish(rng: np.random.Generator, y: Value) -> Value:
    return ir.apply("relu", ir.apply("add", y, ir.constant(rng.normal(size=y.shape[-1]).astype(y.dtype))))


def sparse_graph(dtype: str) -> tuple[ir.Graph, dict[str, np.ndarray]]:
    """(the graph, its input)."""
    rng = np.random.default_rng(5)
    x = ir.input_leaf("x", ir.Spec((1, 9, 11, 3), dtype))
    y = _finish(rng, _conv(rng, x, 21, 3))
    y = ir.apply("add", y, _finish(rng, _conv(rng, y, 21, 1)))  # the tile that rides on it may be staged
    y = _finish(rng, _conv(rng, y, 8, 3, 4))
    small = _conv(rng, _conv(rng, y, 12, 3, 3), 300, 1)  # one pixel
    flat = ir.reshape(small, (1, 300))
    few = _finish(rng, _linear(rng, flat, 6))
    outputs = {"y": _linear(rng, flat, 17), "z": _finish(rng, _linear(rng, few, 5))}
    return ir.Graph({"x": x}, {}, outputs), {"x": rng.normal(size=x.shape).astype(dtype)}
