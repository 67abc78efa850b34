"""An operator with its tensors at hand, and what every rule asks of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from selvedge.errors import InvalidInput, NotSupported
from selvedge.integer.quant import Quant
from selvedge.integer.requantise import ACTIVATIONS

from .model import Operator, Tensor

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Bound:
    """``run(*arrays of the tensors reads)`` makes an array of ``shape`` and ``dtype``."""

    run: Callable[..., np.ndarray]
    reads: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: str = "int8"


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    tensors: tuple[Tensor, ...]
    operator: Operator
    index: int

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

    def input(self, i: int) -> Tensor:
        return self.tensors[self.place(i)]

    def optional(self, i: int) -> Tensor | None:
        found = self.operator.inputs[i] if i < len(self.operator.inputs) else None
        return None if found is None else self.tensors[found]

    def whole(self, name: str) -> int:
        return int(self.operator.options[name])  # type: ignore[arg-type]  # the schema's table says it is a number

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
        top, left = (_same(extent[a], (kernel[a] - 1) * dilation[a] + 1, stride[a]) for a in (0, 1))
        return top, left


def _same(extent: int, kernel: int, stride: int) -> Pair:
    total = max(0, (-(-extent // stride) - 1) * stride + kernel - extent)
    return total // 2, total - total // 2
