"""An operator with its tensors at hand, and what every rule asks of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from selvedge.artifact.layout import Layout
from selvedge.errors import InvalidInput, NotSupported
from selvedge.ir import Quant, Spec, Value, state_leaf
from selvedge.ir.integer.requantise import ACTIVATIONS

from .model import Model, Operator, Tensor

Pair = tuple[int, int]

# Rows and columns that a window, or a dilation, may be larger than its image by ("same" pads them).
MOST_BEYOND = 64


@dataclass(slots=True, eq=False)
class Weights:
    """The model's constants as state leaves: each tensor once for each order of its axes. ``steps``: of those that are
    integers beside floats, what one of them is (:mod:`.dynamic`)."""

    model: Model
    steps: Mapping[int, float] = field(default_factory=dict)
    leaves: dict[tuple[int, tuple[int, ...]], Value] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)  # as they are stored, by the leaf's name

    def leaf(self, index: int, perm: tuple[int, ...], quant: Quant | None) -> Value:
        """Tensor ``index`` with its axes in the order ``perm``, quantised as ``quant``."""
        key = (index, perm)
        if key not in self.leaves:
            tensor = self.model.tensors[index]
            assert tensor.data is not None
            layout = Layout.of(tensor.shape, perm)
            array = layout.store(tensor.data)
            name = tensor.name if tensor.name and tensor.name not in self.arrays else f"{tensor.name}#{index}"
            name = name if name not in self.arrays else f"{name}{perm}"
            self.arrays[name] = array
            self.leaves[key] = state_leaf(name, Spec(array.shape, tensor.dtype, quant), "buffer", layout)
        return self.leaves[key]


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """``values``: of the tensors that are inputs or made by operators before it."""

    tensors: tuple[Tensor, ...]
    operator: Operator
    index: int
    values: Mapping[int, Value]
    weights: Weights

    @property
    def y(self) -> Tensor:
        return self.tensors[self.operator.outputs[0]]

    @property
    def where(self) -> str:
        return f"tflite operator {self.index} {self.operator.name}, which makes {self.y.name[:80]!r}"

    def place(self, i: int) -> int:
        """The index of input ``i``, which is there: the schema's table says which are."""
        found = self.operator.inputs[i]
        assert found is not None
        return found

    def value(self, i: int) -> Value:
        """Of input ``i``: a constant as it lies in the file."""
        place, tensor = self.place(i), self.input(i)
        if place in self.values:
            return self.values[place]
        return self.weights.leaf(place, tuple(range(len(tensor.shape))), tensor.quant)

    def weight(self, tensor: Tensor, dtype: str, perm: tuple[int, ...], quant: Quant | None) -> Value:
        """A constant of ``dtype`` with its axes in the order ``perm``."""
        self.constant(tensor, dtype)
        index = next(i for i in self.operator.inputs if i is not None and self.tensors[i] is tensor)
        return self.weights.leaf(index, perm, quant)

    def input(self, i: int) -> Tensor:
        return self.tensors[self.place(i)]

    def optional(self, i: int) -> Tensor | None:
        found = self.operator.inputs[i] if i < len(self.operator.inputs) else None
        return None if found is None else self.tensors[found]

    def whole(self, name: str) -> int:
        return int(self.real(name))

    def real(self, name: str) -> float:
        found = self.operator.options[name]
        assert isinstance(found, int | float), "the schema's table says it is a number"
        return found

    def refuse(self, tensor: Tensor, value: object, fix: str) -> NoReturn:
        raise InvalidInput(f"{self.where}: tensor {tensor.name[:80]!r}", value, fix)

    def require(self, holds: bool, tensor: Tensor, value: object, fix: str) -> None:
        if not holds:
            self.refuse(tensor, value, fix)

    def quant(self, tensor: Tensor, dtype: str = "int8") -> Quant:
        """That of an activation: ``dtype``, one scale."""
        if tensor.dtype != dtype:
            raise NotSupported(
                f"{self.operator.name} of {tensor.dtype}",
                f"{self.where}: tensor {tensor.name[:80]!r}",
                f"give it {dtype}",
            )
        if tensor.quant is None or tensor.quant.axis is not None:
            self.refuse(tensor, "without one scale", "an activation has one scale and one zero point")
        return tensor.quant

    def constant(self, tensor: Tensor, dtype: str) -> np.ndarray:
        if tensor.data is None or tensor.dtype != dtype:
            self.refuse(tensor, f"{tensor.dtype}, {'computed' if tensor.data is None else 'constant'}",
                        f"it must be a constant of {dtype}")  # fmt: skip
        return tensor.data

    def rank(self, tensor: Tensor, rank: int) -> None:
        self.require(len(tensor.shape) == rank, tensor, list(tensor.shape), f"it must have {rank} axes")

    def activation(self) -> str:
        name = str(self.operator.options["activation"])
        if name not in ACTIVATIONS:
            raise NotSupported(f"a fused {name}", self.where, f"fuse one of {', '.join(ACTIVATIONS)}")
        return name

    def pair(self, name: str) -> Pair:
        """(height, width)."""
        return self.whole(f"{name}_h"), self.whole(f"{name}_w")

    def padding(self, extent: Pair, kernel: Pair, stride: Pair, dilation: Pair = (1, 1)) -> tuple[Pair, Pair]:
        """((top, bottom), (left, right)) of "same" or "valid" (``internal/../padding.h``: the odd one after)."""
        if self.operator.options["padding"] == "valid":
            return (0, 0), (0, 0)
        top, left = (same(extent[a], (kernel[a] - 1) * dilation[a] + 1, stride[a]) for a in (0, 1))
        return top, left


def same(extent: int, kernel: int, stride: int) -> Pair:
    """What "same" pads of one axis: the odd one after."""
    total = max(0, (-(-extent // stride) - 1) * stride + kernel - extent)
    return total // 2, total - total // 2
