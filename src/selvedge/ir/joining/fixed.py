"""Constants of a graph that holds quantised numbers, through whatever moves their axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..graph import Node, Value
from ..interpret import evaluate_node
from ..quant import Quant

MOVES = ("reshape", "transpose", "broadcast", "slice", "concat")


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    """real = scale * (steps - zero), element by element. ``scale``: float64 of the shape of ``steps``; None where the
    steps are the real numbers."""

    steps: np.ndarray
    scale: np.ndarray | None
    zero: np.ndarray

    @property
    def real(self) -> np.ndarray:
        """float64."""
        whole = self.steps.astype(np.float64)
        return whole if self.scale is None else self.scale * (whole - self.zero)

    def quant(self, axis: int) -> Quant | None:
        """Its scales, one or one an index of ``axis``; None where they differ along another axis."""
        if self.scale is None:
            return None
        scale, zero = _along(self.scale, axis), _along(self.zero, axis)
        if scale is None or zero is None:
            return None
        if len(set(scale.tolist())) == len(set(zero.tolist())) == 1:
            return Quant((float(scale[0]),), (int(zero[0]),))
        zeros = tuple(int(z) for z in zero) if zero.any() else (0,)
        return Quant(tuple(map(float, scale)), zeros, axis)


def fixed(value: Value) -> Fixed | None:
    """What ``value`` is, where it is made of constants by moves alone, quantised or not."""
    node = value.node
    if node.op == "constant":
        array = np.asarray(node.attrs["value"])
        return Fixed(array, None, np.zeros(array.shape, np.int64))
    if node.op == "dequantise":
        given, quant = fixed(node.inputs[0]), node.attrs["quants"][0]
        if given is None or given.scale is not None:
            return None
        shape = given.steps.shape
        return Fixed(given.steps, _spread(quant.scale, quant, shape), _spread(quant.zero_point, quant, shape))
    if node.op not in MOVES:
        return None
    parts = [fixed(v) for v in node.inputs]
    known = [p for p in parts if p is not None]
    if len(known) < len(parts) or len({p.scale is None for p in known}) > 1:
        return None
    scales = [p.scale for p in known if p.scale is not None]
    return Fixed(
        _moved(node, [p.steps for p in known]),
        _moved(node, scales) if scales else None,
        _moved(node, [p.zero for p in known]),
    )


def _moved(node: Node, arrays: list[np.ndarray]) -> np.ndarray:
    return evaluate_node(node, arrays)[0]


def _spread(numbers: tuple[float, ...], quant: Quant, shape: tuple[int, ...]) -> np.ndarray:
    extents = [1] * len(shape)
    if quant.axis is not None and len(numbers) > 1:
        extents[quant.axis] = -1
    return np.broadcast_to(np.array(numbers).reshape(extents), shape)


def _along(array: np.ndarray, axis: int) -> np.ndarray | None:
    """[extent of ``axis``], where the elements differ along it alone."""
    rows = np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)
    return rows[:, 0] if (rows == rows[:, :1]).all() else None
