"""The layers: those of DS-CNN, MobileNet, ResNet-8 and the autoencoder, and how their weights are made sparse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from selvedge import ir
from selvedge.make.calibrate_sparse import graph as finished

SPARSITIES = (50, 75, 90, 95)


@dataclass(frozen=True, slots=True)
class Shape:
    """A layer at batch 1: c inputs and k outputs a pixel, a kernel of size x size, h x w pixels; h = w = 1: linear."""

    name: str
    h: int
    w: int
    c: int
    k: int
    size: int = 1
    stride: int = 1

    @property
    def weights(self) -> tuple[int, ...]:
        return (self.c, self.k) if self.h == self.w == 1 else (self.size, self.size, self.c, self.k)

    def __str__(self) -> str:
        if self.h == self.w == 1:
            return f"linear {self.c}x{self.k}"
        kernel = "pointwise" if self.size == 1 else f"{self.size}x{self.size}"
        step = f"/{self.stride}" if self.stride > 1 else ""
        return f"{kernel} {self.c}x{self.k} @ {self.h}x{self.w}{step}"


SHAPES = (
    Shape("deep_autoencoder", 1, 1, 640, 128),
    Shape("deep_autoencoder", 1, 1, 128, 128),
    Shape("deep_autoencoder", 1, 1, 128, 640),
    Shape("ds_cnn", 25, 5, 64, 64),
    Shape("mobilenet_v1_025", 24, 24, 32, 32),
    Shape("mobilenet_v1_025", 12, 12, 64, 64),
    Shape("mobilenet_v1_025", 6, 6, 128, 128),
    Shape("mobilenet_v1_025", 3, 3, 256, 256),
    Shape("mobilenet_v1", 12, 12, 128, 128),
    Shape("resnet8", 32, 32, 16, 16, 3),
    Shape("resnet8", 8, 8, 64, 64, 3),
)
# The time table of make/sparse_times.json is fitted to these and others, and judged on CHECKED.
FITTED = (
    Shape("", 1, 1, 512, 128), Shape("", 1, 1, 128, 96), Shape("", 1, 1, 96, 512), Shape("", 1, 1, 64, 32),
    Shape("", 1, 1, 32, 16), Shape("", 1, 1, 256, 64), Shape("", 20, 5, 64, 64), Shape("", 24, 24, 24, 32),
    Shape("", 12, 10, 64, 96), Shape("", 6, 6, 96, 128), Shape("", 3, 3, 192, 256), Shape("", 12, 12, 96, 128),
    Shape("", 16, 16, 16, 24), Shape("", 24, 24, 16, 16, 3), Shape("", 8, 8, 48, 64, 3),
    Shape("", 16, 16, 16, 32, 3, 2), Shape("", 40, 40, 8, 16), Shape("", 2, 2, 64, 64, 3), Shape("", 2, 2, 32, 48, 3),
    Shape("", 1, 1, 6, 64),
    Shape("", 1, 1, 5, 128), Shape("", 1, 1, 7, 256),
)  # fmt: skip
CHECKED = SHAPES
# What an STM32F446's flash holds, with six sparse copies beside the dense one.
SMALL_FITTED = (
    Shape("", 1, 1, 128, 64), Shape("", 1, 1, 256, 32), Shape("", 1, 1, 64, 32), Shape("", 1, 1, 32, 16),
    Shape("", 1, 1, 48, 96), Shape("", 10, 5, 64, 64), Shape("", 12, 12, 16, 24), Shape("", 6, 6, 48, 64),
    Shape("", 3, 3, 96, 64), Shape("", 8, 8, 16, 16, 3), Shape("", 6, 6, 16, 32, 3, 2), Shape("", 6, 6, 32, 16, 3),
)  # fmt: skip
SMALL = (
    Shape("deep_autoencoder", 1, 1, 128, 128), Shape("ds_cnn", 25, 5, 64, 64),
    Shape("mobilenet_v1_025", 12, 12, 32, 64), Shape("resnet8", 16, 16, 16, 16, 3),
)  # fmt: skip


def unstructured(shape: Shape, percent: int, seed: int = 0) -> np.ndarray:
    """Normal weights, the smallest ``percent`` of them 0."""
    made = _normal(shape, seed)
    flat = made.reshape(-1)
    flat[np.argsort(np.abs(flat))[: flat.size * percent // 100]] = 0
    return made


def n_of_m(shape: Shape, n: int, m: int, seed: int = 0) -> np.ndarray:
    """Of every ``m`` neighbouring inputs of an output the ``n`` largest; a rest of fewer stays."""
    made = _normal(shape, seed)
    matrix = made.reshape(-1, shape.k)
    for first in range(0, len(matrix) // m * m, m):
        part = matrix[first : first + m]
        np.put_along_axis(part, np.argsort(np.abs(part), axis=0)[: m - n], 0, axis=0)
    return made


def _normal(shape: Shape, seed: int) -> np.ndarray:
    return np.random.default_rng([41, seed, *shape.weights]).normal(size=shape.weights).astype(np.float32)


PATTERNS: Mapping[str, Callable[[Shape], np.ndarray]] = {
    **{f"{p} %": partial(unstructured, percent=p) for p in SPARSITIES},
    "2:4": lambda shape: n_of_m(shape, 2, 4),
    "1:4": lambda shape: n_of_m(shape, 1, 4),
}


def graph(shape: Shape, weights: np.ndarray, sparse: bool) -> ir.Graph:
    """The layer with its bias and an activation, by the dense or by the sparse row."""
    given = {"entries": int(np.count_nonzero(weights))} if sparse else {}
    if len(shape.weights) == 2:
        x = ir.input_leaf("x", ir.Spec((1, shape.c)))
        plain = {} if sparse else {"trans_a": False, "trans_b": False}
        return finished(x, ir.apply("sparse_matmul" if sparse else "matmul", x, ir.constant(weights), **given, **plain))
    x, pad = ir.input_leaf("x", ir.Spec((1, shape.h, shape.w, shape.c))), shape.size // 2
    y = ir.apply(
        "sparse_conv2d" if sparse else "conv2d", x, ir.constant(weights), stride=(shape.stride,) * 2,
        padding=((pad, pad), (pad, pad)), dilation=(1, 1), groups=1, **given,
    )  # fmt: skip
    return finished(x, y)


def graphs(shape: Shape) -> dict[str, ir.Graph]:
    """ "dense" and every pattern."""
    found = {"dense": graph(shape, unstructured(shape, 0), False)}
    return found | {name: graph(shape, make(shape), True) for name, make in PATTERNS.items()}
