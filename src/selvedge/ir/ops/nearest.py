"""Rows and columns of an image picked by number: upsampling by copies, NHWC, of any dtype. No gradient: images of
integers are what asks for it; of floats ``take`` has one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph import Spec
from ..op import Arrays, Attrs, Op, register
from ..quant import whole
from ..rules import arity, ints, rank, require
from .structure import free

# nearest(x){rows, columns}: y[n, i, j, c] = x[n, rows[i], columns[j], c]


def _infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("nearest", specs, 1)
    rank("nearest", "x", specs[0], 4)
    n, height, width, channels = specs[0].shape
    sizes = []
    for field, size in (("rows", height), ("columns", width)):
        picks = ints("nearest", attrs, field)
        require(all(p < size for p in picks), "nearest", field, picks[:8], f"each below {size}")
        sizes.append(len(picks))
    return (Spec((n, *sizes, channels), specs[0].dtype, whole(specs[0].quant)),)


def _nearest(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    return (arrays[0][:, list(attrs["rows"])][:, :, list(attrs["columns"])],)


register(Op("nearest", _infer, _nearest, None, free))
