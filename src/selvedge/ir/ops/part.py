"""A part of a parameter that learns by itself: the first channels of one axis, read and put back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph import Spec
from ..op import Arrays, Attrs, Op, register
from ..rules import arity, attr, require
from .structure import free

# part(x){axis, count}: the first count elements of x along axis. No copy: a loop reads them where x lies.


def _first(axis: int, count: int) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, slice(count))


def _part_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("part", specs, 1)
    shape, axis, count = specs[0].shape, attr("part", attrs, "axis"), attr("part", attrs, "count")
    require(axis in range(len(shape)), "part", "axis", axis, f"must be an axis of {shape}")
    require(0 < count <= shape[axis], "part", "count", count, f"must be 1 to {shape[axis]}")
    return (Spec((*shape[:axis], count, *shape[axis + 1 :]), specs[0].dtype),)


def _part(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    return (arrays[0][_first(attrs["axis"], attrs["count"])],)


register(Op("part", _part_infer, _part, None, free))


# with_part(new, old){axis}: old with its first elements along axis replaced by new. In place: the rest is not touched.


def _with_part_infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
    arity("with_part", specs, 2)
    new, old = specs
    axis = attr("with_part", attrs, "axis")
    require(axis in range(len(old.shape)), "with_part", "axis", axis, f"must be an axis of {old.shape}")
    inside = len(new.shape) == len(old.shape) and 0 < new.shape[axis] <= old.shape[axis]
    same = inside and (*new.shape[:axis], old.shape[axis], *new.shape[axis + 1 :]) == old.shape
    require(same and new.dtype == old.dtype, "with_part", "new", new, f"must be a part of {old} along axis {axis}")
    return (old,)


def _with_part(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
    new, old = arrays
    result = old.copy()
    result[_first(attrs["axis"], new.shape[attrs["axis"]])] = new
    return (result,)


register(Op("with_part", _with_part_infer, _with_part, None, free))
