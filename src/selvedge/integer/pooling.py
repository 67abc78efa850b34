"""int8 pooling. Source: ``internal/reference/integer_ops/pooling.h``: input and result share scale and zero point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

Pair = tuple[int, int]
Padding = tuple[Pair, Pair]


def average_pool(
    x: np.ndarray, *, kernel: Pair, stride: Pair, padding: Padding, low: int = -128, high: int = 127
) -> np.ndarray:
    """int8 [N,H,W,C] to int8 [N,H',W',C]: the mean of what lies inside the image, halves away from zero, clamped."""
    sums = np.add.reduce(list(_taps(x.astype(np.int64), kernel, stride, padding, 0)))
    ones = np.ones((1, *x.shape[1:3], 1), np.int64)
    counts = np.add.reduce(list(_taps(ones, kernel, stride, padding, 0)))
    half = np.where(sums > 0, counts // 2, -(counts // 2))
    means = np.sign(sums + half) * (np.abs(sums + half) // counts)
    return np.asarray(np.clip(means, low, high).astype(np.int8))


def max_pool(
    x: np.ndarray, *, kernel: Pair, stride: Pair, padding: Padding, low: int = -128, high: int = 127
) -> np.ndarray:
    """int8 [N,H,W,C] to int8 [N,H',W',C]: the largest of what lies inside the image, clamped."""
    most = np.maximum.reduce(list(_taps(x, kernel, stride, padding, -128)))
    return np.asarray(np.clip(most, low, high).astype(np.int8))


def _taps(x: np.ndarray, kernel: Pair, stride: Pair, padding: Padding, fill: int) -> Iterator[np.ndarray]:
    """What each tap of the window sees, [N,H',W',C]."""
    image = np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=fill)
    size = [(image.shape[1 + a] - kernel[a]) // stride[a] + 1 for a in (0, 1)]
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            yield image[:, _every(i, size[0], stride[0]), _every(j, size[1], stride[1])]


def _every(first: int, count: int, step: int) -> slice:
    return slice(first, first + (count - 1) * step + 1, step)


def windows_are_inside(extent: Sequence[int], kernel: Pair, stride: Pair, padding: Padding) -> bool:
    """Whether every window sees at least one pixel of an image of ``extent`` (the reference refuses others)."""
    for a in (0, 1):
        count = (extent[a] + sum(padding[a]) - kernel[a]) // stride[a] + 1
        if count < 1 or padding[a][0] >= kernel[a] or (count - 1) * stride[a] - padding[a][0] >= extent[a]:
            return False
    return True
