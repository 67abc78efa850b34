"""Padding: with a constant, by reflection, by repetition, and round a circle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..tensor import Tensor
from .along import chosen
from .shape import part
from .table import Call, lowers

Places = Callable[[np.ndarray, int], np.ndarray]  # places before, inside and behind n elements -> places inside


def _reflected(at: np.ndarray, n: int) -> np.ndarray:
    at = np.abs(at)
    return np.where(at >= n, 2 * (n - 1) - at, at)


def _round(at: np.ndarray, n: int) -> np.ndarray:
    """Round what negative widths leave."""
    first, behind = max(0, at[0]), min(n, at[-1] + 1)
    return np.asarray(first + (at - first) % (behind - first))


_MODES: dict[str, Places] = {
    "reflect": _reflected,
    "replicate": lambda at, n: at.clip(0, n - 1),
    "circular": _round,
}


def copied(call: Call, x: Tensor, widths: Sequence[int], places: Places) -> Tensor:
    """``widths``: (before, behind) of the last axis, then of the one before it, ..."""
    for i in range(len(widths) // 2):
        dim, (low, high) = x.rank - 1 - i, widths[2 * i : 2 * i + 2]
        n = x.shape[dim]
        x = chosen(call, x, dim, [int(p) for p in places(np.arange(-low, n + high), n)])
    return x


@lowers("reflection_pad1d.default", "reflection_pad2d.default", "reflection_pad3d.default")
def reflection_pad(call: Call, x: Tensor, widths: Sequence[int]) -> Tensor:
    return copied(call, x, widths, _MODES["reflect"])


@lowers("replication_pad1d.default", "replication_pad2d.default", "replication_pad3d.default")
def replication_pad(call: Call, x: Tensor, widths: Sequence[int]) -> Tensor:
    return copied(call, x, widths, _MODES["replicate"])


@lowers("_pad_circular.default")
def circular_pad(call: Call, x: Tensor, widths: Sequence[int]) -> Tensor:
    return copied(call, x, widths, _MODES["circular"])


@lowers("constant_pad_nd.default", "pad.default")
def pad(call: Call, x: Tensor, widths: Sequence[int], *options: Any) -> Tensor:
    mode, value = options if len(options) == 2 else ("constant", options[0])
    if mode != "constant":
        return copied(call, x, widths, _MODES[mode])
    before, after = [0] * x.rank, [0] * x.rank
    for i in range(len(widths) // 2):
        axis = x.axis(x.rank - 1 - i)
        before[axis], after[axis] = widths[2 * i], widths[2 * i + 1]
    for axis in range(x.rank):
        low, high = max(0, -before[axis]), x.value.shape[axis] - max(0, -after[axis])
        x = part(call, x, x.perm[axis], low, high)
    inner = {"before": tuple(max(0, n) for n in before), "after": tuple(max(0, n) for n in after)}
    if not any(inner["before"] + inner["after"]):
        return x
    return call.unary("pad", x, **inner, value=float(value or 0.0))
