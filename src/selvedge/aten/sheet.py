"""The tensors of a graph that is being computed in ATen operators, each in the order of axes that its operator makes.

Images are NHWC here and NCHW there, weights HWIO and OIHW. A value is kept as its operator makes it and is permuted
only where a reader wants another order: a training step of convolutions has no permutation at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..artifact.layout import Layout
from ..ir import Node, Quant, Value
from ..ir.ops.integer_convolution import known

Order = tuple[int, ...]
"""Axis i of a tensor is axis ``order[i]`` of its value."""

NCHW: Order = (0, 3, 1, 2)
OIHW: Order = (3, 2, 0, 1)
DTYPES = {name: getattr(torch, name) for name in ("float32", "float64", "int32", "uint8", "int8", "bool")}


def natural(rank: int) -> Order:
    return tuple(range(rank))


@dataclass(slots=True)
class Sheet:
    """held: the tensor of a constant, by its name. lies: value -> (order -> tensor)."""

    held: Callable[[np.ndarray], Tensor]
    lies: dict[Value, dict[Order, Tensor]] = field(default_factory=dict)

    def put(self, value: Value, tensor: Tensor, order: Order | None = None) -> None:
        """``value`` is ``tensor``, by default in its own order of axes."""
        self.lies[value] = {order or natural(len(value.shape)): tensor}

    def order(self, values: Sequence[Value], rank: int) -> Order:
        """The one in which a row on all of ``values`` has least to permute: of the first computed one of ``rank``."""
        for value in values:
            if len(value.shape) == rank and known(value) is None:
                return next(iter(self.lies[value]))
        return natural(rank)

    def of(self, value: Value, order: Order | None = None) -> Tensor:
        """``value`` with its axes in ``order``, by default in its own."""
        order = order or natural(len(value.shape))
        array = known(value)
        if array is not None:
            return self.held(np.ascontiguousarray(array.transpose(order)).reshape([array.shape[a] for a in order]))
        there = self.lies[value]
        if order not in there:
            own, tensor = next(iter(there.items()))
            there[order] = permuted(tensor, tuple(own.index(a) for a in order))
        return there[order]

    def lifted(self, value: Value, rank: int, order: Order) -> Tensor:
        """``value`` with leading axes of one element up to ``rank``, as it broadcasts, in ``order``."""
        missing = rank - len(value.shape)
        if not missing:
            return self.of(value, order)
        array = known(value)
        if array is not None and array.ndim:
            whole = array.reshape((1,) * missing + array.shape)
            return self.held(np.ascontiguousarray(whole.transpose(order)))
        tensor = self.of(value)
        return tensor if not value.shape else permuted(tensor.reshape((1,) * missing + value.shape), order)

    def constant(self, array: np.ndarray) -> Tensor:
        return self.held(np.ascontiguousarray(array).reshape(array.shape))

    def face(self, value: Value, layout: Layout) -> Tensor:
        """``value`` as PyTorch has it."""
        if _permutes(layout):
            return self.of(value, tuple(layout.perm.index(a) for a in range(len(layout.perm))))
        moved = self.of(value).reshape([layout.face[a] for a in layout.perm])
        return permuted(moved, tuple(layout.perm.index(a) for a in range(len(layout.perm)))).reshape(layout.face)

    def take(self, value: Value, tensor: Tensor, layout: Layout) -> None:
        """``value`` is ``tensor``, which is as PyTorch has it."""
        if _permutes(layout):
            self.put(value, tensor, tuple(layout.perm.index(a) for a in range(len(layout.perm))))
        else:
            self.put(value, permuted(tensor, layout.perm).reshape(layout.shape))


def _permutes(layout: Layout) -> bool:
    return layout.shape == tuple(layout.face[a] for a in layout.perm)


def permuted(tensor: Tensor, perm: Order) -> Tensor:
    """A reshape where no element moves."""
    moving = [a for a in perm if tensor.shape[a] != 1]
    shape = [tensor.shape[a] for a in perm]
    if moving == sorted(moving):
        return tensor if list(tensor.shape) == shape else tensor.reshape(shape)
    return tensor.permute(perm)


def real(sheet: Sheet, value: Value, order: Order | None = None) -> Tensor:
    """The real numbers that the int8 ``value`` stands for; quantised constants stay so."""
    quant = value.spec.quant
    assert quant is not None
    return dequantised(sheet, sheet.of(value, order), quant, order)


def dequantised(sheet: Sheet, tensor: Tensor, quant: Quant, order: Order | None = None) -> Tensor:
    """Of int8; ``quant.axis`` is one of the value's, whose axes lie in ``order``."""
    library = torch.ops.quantized_decomposed
    if quant.axis is None:
        made = library.dequantize_per_tensor(tensor, quant.scale[0], quant.zero_point[0], -128, 127, torch.int8)
        assert isinstance(made, Tensor)
        return made
    axis = quant.axis if order is None else order.index(quant.axis)
    zeros = np.broadcast_to(np.array(quant.zero_point, np.int64), len(quant.scale))
    scales, points = sheet.constant(np.array(quant.scale, np.float32)), sheet.constant(zeros)  # XNNPACK wants constants
    made = library.dequantize_per_channel(tensor, scales, points, axis, -127, 127, torch.int8)
    assert isinstance(made, Tensor)
    return made


def quantised(tensor: Tensor, quant: Quant) -> Tensor:
    made = torch.ops.quantized_decomposed.quantize_per_tensor(
        tensor, quant.scale[0], quant.zero_point[0], -128, 127, torch.int8
    )
    assert isinstance(made, Tensor)
    return made


Row = Callable[[Sheet, Node], None]
