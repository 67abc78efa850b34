"""Interpolation: nearest, linear and cubic, in one, two and three dimensions, one axis after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ..tensor import Tensor
from .along import resampled
from .table import Call, lowers

Scales = Sequence[float | None]
Line = Callable[[torch.Tensor, int, bool, float | None], torch.Tensor]  # [1, n, n] -> [1, n, count]
aten: Any = torch.ops.aten


def _nearest2d(x: torch.Tensor, count: int, align: bool, scale: float | None) -> torch.Tensor:
    made: torch.Tensor = aten.upsample_nearest2d(x.unsqueeze(-1), [count, 1], scale, None)
    return made.squeeze(-1)


def _cubic(x: torch.Tensor, count: int, align: bool, scale: float | None) -> torch.Tensor:
    made: torch.Tensor = aten.upsample_bicubic2d(x.unsqueeze(-1), [count, 1], align, scale, None)
    return made.squeeze(-1)


_LINES: dict[str, Line] = {
    "nearest": _nearest2d,
    "exact": lambda x, count, align, scale: aten._upsample_nearest_exact1d(x, [count], scale),
    "linear": lambda x, count, align, scale: aten.upsample_linear1d(x, [count], align, scale),
    "cubic": _cubic,
}


def _axis(call: Call, x: Tensor, dim: int, count: int, kind: str, align: bool, scale: float | None) -> Tensor:
    """The weights of each new element are what PyTorch makes of the unit vectors."""
    dtype = torch.float64 if x.value.dtype == "float64" else torch.float32
    unit = torch.eye(x.shape[dim], dtype=dtype)[None]
    matrix = _LINES[kind](unit, count, align, scale)[0].T.numpy()
    if kind == "nearest" and x.rank != 4:
        # PyTorch's backward takes the places of images, where equal and doubled sizes go before the factor.
        same = np.array_equal(aten.upsample_nearest1d(unit, [count], scale)[0].T.numpy(), matrix)
        call.require(same, f"PyTorch's own gradient is not that of a factor of {scale}; give the size instead")
    owner, index = np.nonzero(matrix)
    starts = np.searchsorted(owner, np.arange(count + 1))
    weights = matrix[owner, index]
    plain = bool((weights == 1).all())
    return resampled(
        call, x, dim, starts.tolist(), index.tolist(), () if plain else [float(w) for w in weights.astype(np.float64)]
    )


def _every(call: Call, x: Tensor, size: Sequence[int] | None, scales: Scales | None, kind: str, align: bool) -> Tensor:
    """The axes that get smaller go first: there is less to do for the others."""
    count = x.rank - 2
    factors = list(scales) if scales is not None else [None] * count
    sizes = [int(x.shape[2 + a] * float(factors[a] or 1)) for a in range(count)] if size is None else list(size)
    for a in sorted(range(count), key=lambda a: sizes[a] / x.shape[2 + a]):
        x = _axis(call, x, 2 + a, sizes[a], kind, align, factors[a])
    return x


def _enter(name: str, kind: str, aligns: bool) -> None:
    def by_factors(call: Call, x: Tensor, size: Sequence[int] | None, *rest: Any) -> Tensor:
        align, scales = rest if aligns else (False, rest[0])
        return _every(call, x, size, scales, kind, align)

    def by_size(call: Call, x: Tensor, size: Sequence[int], *rest: Any) -> Tensor:
        align, scales = (rest[0], rest[1:]) if aligns else (False, rest)
        return _every(call, x, size, scales, kind, align)

    if "vec" in getattr(aten, name).overloads():
        lowers(f"{name}.vec")(by_factors)
    lowers(f"{name}.default")(by_size)


for _n in (1, 2, 3):
    _enter(f"upsample_nearest{_n}d", "nearest", False)
    _enter(f"_upsample_nearest_exact{_n}d", "exact", False)
for _name, _kind in (
    ("upsample_linear1d", "linear"),
    ("upsample_bilinear2d", "linear"),
    ("upsample_trilinear3d", "linear"),
    ("upsample_bicubic2d", "cubic"),
):
    _enter(_name, _kind, True)
