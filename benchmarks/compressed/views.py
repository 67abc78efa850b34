"""Samples seen again, a little otherwise: drawn once, so that all who train see the same and a teacher answers once.

Beyer et al., "Knowledge distillation: a good teacher is patient and consistent" (arXiv:2106.05237), section 3: teacher
and student are given the same views, many of them, for long.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Draw = Callable[[Tensor, torch.Generator], Tensor]


def views(x: Tensor, draw: Draw, count: int, seed: int) -> Tensor:
    """[count * N, ...]: row v * N + i is view v of sample i; view 0 is the sample itself."""
    random = torch.Generator().manual_seed(seed)
    return torch.cat([x, *(draw(x, random) for _ in range(count - 1))])


def pictures(turn: float, flip: bool) -> Draw:
    """[N, 1, H, W], moved by 2 of 28 pixels, sized by a tenth, turned by ``turn`` radians at most; or mirrored."""

    def draw(x: Tensor, random: torch.Generator) -> Tensor:
        angle, size = _within(len(x), turn, random), 1 + _within(len(x), 0.1, random)
        cosine, sine = angle.cos() * size, angle.sin() * size
        mirror = torch.where(torch.rand(len(x), generator=random) < 0.5, -1.0, 1.0) if flip else torch.ones(len(x))
        moved = [_within(len(x), 4 / 28, random) for _ in range(2)]
        rows = torch.stack([cosine * mirror, -sine, moved[0]], 1), torch.stack([sine * mirror, cosine, moved[1]], 1)
        grid = functional.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
        return functional.grid_sample(x, grid, align_corners=False)

    return draw


def sounds(x: Tensor, random: torch.Generator) -> Tensor:
    """[N, 1, T, C], later or earlier by 6 of 49 frames, faster or slower by a tenth at most, with noise, and with up to
    six frames in a row silent (as SpecAugment, Park et al., arXiv:1904.08779)."""
    made = _in_time(x, 1 + _within(len(x), 0.1, random), _within(len(x), 0.25, random), "zeros")
    made = made + 0.1 * torch.randn(made.shape, generator=random)
    start = torch.randint(x.shape[2], (len(x), 1), generator=random)
    long = torch.randint(7, (len(x), 1), generator=random)
    at = torch.arange(x.shape[2])
    return made * ~((at >= start) & (at < start + long))[:, None, :, None]


def motions(x: Tensor, random: torch.Generator) -> Tensor:
    """[N, C, T], faster or slower and earlier or later by a tenth at most, each axis sized by a tenth at most, with
    noise."""
    made = _in_time(
        x[..., None].swapaxes(1, 3), 1 + _within(len(x), 0.1, random), _within(len(x), 0.2, random), "border"
    )
    made = made.swapaxes(1, 3)[..., 0] * (1 + _within((len(x), x.shape[1], 1), 0.1, random))
    return made + 0.03 * torch.randn(made.shape, generator=random)


def _in_time(x: Tensor, speed: Tensor, later: Tensor, beyond: str) -> Tensor:
    """[N, 1, T, C], read at ``speed`` from ``later`` on, in halves of the whole."""
    nothing, one = torch.zeros_like(speed), torch.ones_like(speed)
    rows = torch.stack([one, nothing, nothing], 1), torch.stack([nothing, speed, later], 1)
    grid = functional.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode=beyond, align_corners=False)


def _within(size: int | tuple[int, ...], most: float, random: torch.Generator) -> Tensor:
    return most * (2 * torch.rand(size, generator=random) - 1)
