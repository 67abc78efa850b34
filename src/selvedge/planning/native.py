"""One native call as data: what the kernel table makes of a node, and the dimensions that families share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Native:
    """One native call. reads: input positions of the node, in the order of the C signature. unit/units: how the output
    divides into tiles (0: it does not). inplace: (write, read) pairs that the C kernel allows to share bytes."""

    family: str
    reads: tuple[int, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    unit: int = 0
    units: int = 0
    scratch: int = 0  # elements of the real type
    inplace: tuple[tuple[int, int], ...] = ()
    optional: tuple[int, ...] = ()  # results that the C kernel leaves out when nothing reads them
    constants: tuple[np.ndarray, ...] = ()  # read behind ``reads``, from flash
    least_units: int = 0  # in a tile that is made in place, where there are as many


@dataclass(frozen=True, slots=True)
class Machine:
    """What lowering needs to know of a device: SIMD lanes of the real type (1: none) and the tile size in bytes."""

    lanes: int
    tile_bytes: int


def conv_dims(
    x: tuple[int, ...], y: tuple[int, ...], kernel: tuple[int, int], attrs: Mapping[str, Any]
) -> dict[str, int]:
    """The fields of sv_conv."""
    (top, _), (left, _) = attrs["padding"]
    return {
        **dict(zip(("n", "h", "w", "c"), x, strict=True)),
        **dict(zip(("oh", "ow", "k"), y[1:], strict=True)),
        **dict(zip(("kh", "kw"), kernel, strict=True)),
        **dict(zip(("sh", "sw"), attrs["stride"], strict=True)),
        "ph": top,
        "pw": left,
        **dict(zip(("dh", "dw"), attrs["dilation"], strict=True)),
        "groups": attrs["groups"],
    }


def linear_dims(rows: int, c: int, k: int) -> dict[str, int]:
    """Those of ``rows`` rows by a matrix (c, k)."""
    one = dict.fromkeys(("h", "w", "oh", "ow", "kh", "kw", "sh", "sw", "dh", "dw", "groups"), 1)
    return {**one, "n": rows, "c": c, "k": k, "ph": 0, "pw": 0}


def is_depthwise(d: Mapping[str, int]) -> bool:
    """Has each channel a kernel of its own?"""
    return d["groups"] == d["c"] == d["k"] and d["groups"] > 1
