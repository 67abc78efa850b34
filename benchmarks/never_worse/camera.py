"""What a camera, or the light, does to pictures in 0..1 of shape [n, 1, h, w]: the same to all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch.nn import functional as F

Array = np.ndarray


def dim(x: Array) -> Array:
    """An eighth of the light."""
    return np.float32(0.125) * x


def flat(x: Array) -> Array:
    """Little contrast on a grey ground."""
    return np.float32(0.3) * x + np.float32(0.35)


def fog(x: Array) -> Array:
    """Light that the air adds, thicker towards the top."""
    depth = np.linspace(0.8, 0.4, x.shape[2], dtype=np.float32)[:, None]
    return np.asarray(x * (1 - depth) + depth)


def blur(x: Array) -> Array:
    """Out of focus: a Gaussian of 1.8 pixels."""
    at = np.arange(-5, 6)
    line = torch.from_numpy(np.float32(np.exp(-(at**2) / (2 * 1.8**2))))
    line /= line.sum()
    across = F.conv2d(torch.from_numpy(np.float32(x)), line.view(1, 1, 1, -1), padding=(0, 5))
    return np.asarray(F.conv2d(across, line.view(1, 1, -1, 1), padding=(5, 0)).numpy())


def turned(x: Array) -> Array:
    """Mounted askew, by 40 degrees."""
    c, s = np.cos(np.deg2rad(40)), np.sin(np.deg2rad(40))
    way = torch.tensor([[[c, -s, 0], [s, c, 0]]], dtype=torch.float32).repeat(len(x), 1, 1)
    grid = F.affine_grid(way, list(x.shape), align_corners=False)
    return np.asarray(F.grid_sample(torch.from_numpy(np.float32(x)), grid, align_corners=False).numpy())


def negative(x: Array) -> Array:
    """Ink for paper."""
    return np.float32(1) - x


CHANGES: Mapping[str, Callable[[Array], Array]] = {f.__name__: f for f in (dim, flat, fog, blur, turned, negative)}
