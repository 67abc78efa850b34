"""Operators of a ``.tflite`` file as they are written: tensors by value, constants once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from selvedge.ir import Node, Quant, Spec, Value
from selvedge.ir.quant import permuted

from .fused import Fused
from .model import Operator, Option, Tensor
from .write import KINDS

# The version that has int8, where it is not the second.
INT8_VERSIONS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "RESHAPE": 1, "QUANTIZE": 1, "CAST": 1}
# The version of the others, where it is not the first.
VERSIONS = {"BROADCAST_TO": 2}

Perm: TypeAlias = tuple[int, ...]


@dataclass(slots=True, eq=False)
class Writing:
    """``names``: of the values that are outputs. ``fused``: what is written as part of another operator. ``read``: the
    values that something reads. ``places``: the tensor of each value."""

    names: Mapping[Value, str]
    fused: Fused
    read: Set[Value]
    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    places: dict[Value, int] = field(default_factory=dict)
    known: dict[tuple[Spec, bytes], int] = field(default_factory=dict)
    moved: dict[tuple[int, str, tuple[object, ...]], int] = field(default_factory=dict)

    def tensor(self, name: str, spec: Spec, data: np.ndarray | None = None) -> int:
        self.tensors.append(Tensor(name, spec.shape, spec.dtype, spec.quant, data))
        return len(self.tensors) - 1

    def of(self, value: Value, perm: Perm | None = None) -> int:
        """The tensor of ``value`` with its axes in the order ``perm``: of a constant, it is stored so."""
        order = perm or tuple(range(len(value.shape)))
        if value.node.op == "constant":
            return self.constant(value.node.attrs["value"].transpose(order), permuted(value.spec.quant, order))
        return self.transposed(self.places[value], order)

    def shape(self, place: int) -> tuple[int, ...]:
        return self.tensors[place].shape

    def constant(self, array: np.ndarray, quant: Quant | None = None) -> int:
        """The tensor of ``array``: equal ones that stand for the same are one, as a layer's that is used again."""
        data = np.ascontiguousarray(array).reshape(array.shape)
        spec = Spec(data.shape, data.dtype.name, quant)
        key = spec, data.tobytes()
        if key not in self.known:
            self.known[key] = self.tensor(f"constant{len(self.known)}", spec, data)
        return self.known[key]

    def numbers(self, numbers: object) -> int:
        """A constant of int32."""
        return self.constant(np.array(numbers, np.int32))

    def real(self, number: float) -> int:
        """A constant of float32, without axes."""
        return self.constant(np.array(number, np.float32))

    def operator(
        self, name: str, inputs: Sequence[int | None], spec: Spec, node: Node | None = None, **options: Option
    ) -> int:
        """What it makes, of ``spec``. ``node``: it is the value of that node."""
        int8 = spec.dtype == "int8" or any(i is not None and self.tensors[i].dtype == "int8" for i in inputs)
        return self.versioned(
            INT8_VERSIONS.get(name, 2) if int8 else VERSIONS.get(name, 1), name, inputs, spec, node, options
        )

    def versioned(
        self, version: int, name: str, inputs: Sequence[int | None], spec: Spec, node: Node | None,
        options: Mapping[str, Option],
    ) -> int:  # fmt: skip
        """The same, of a version of the operator."""
        named = None if node is None else self.names.get(Value(node))
        made = self.tensor(named or f"{len(self.operators)}_{name.lower()}", spec)
        self.act(name, inputs, (made,), version, **options)
        return made

    def act(
        self, name: str, inputs: Sequence[int | None], outputs: Sequence[int], version: int = 1, **options: Option
    ) -> None:
        """An operator by what it reads and makes: nothing, where it only changes a variable."""
        defaults: dict[str, Any] = {
            o.name: o.code[int(o.default)] if isinstance(o.code, tuple) else o.default for o in KINDS[name].options
        }
        self.operators.append(Operator(name, version, tuple(inputs), tuple(outputs), {**defaults, **options}))

    # -- of float32, by their tensors -----------------------------------------------------------------------------

    def floats(
        self, name: str, inputs: Sequence[int | None], shape: Sequence[int], node: Node | None = None, **options: Option
    ) -> int:
        """An operator that makes float32 of ``shape``."""
        return self.operator(name, inputs, Spec(tuple(shape)), node, **options)

    def like(self, name: str, *inputs: int, node: Node | None = None, **options: Option) -> int:
        """An operator that makes what its first input is like."""
        first = self.tensors[inputs[0]]
        return self.operator(name, inputs, Spec(first.shape, first.dtype), node, **options)

    def reshaped(self, place: int, shape: Sequence[int], node: Node | None = None) -> int:
        if self.shape(place) == tuple(shape) and node is None:
            return place
        given = self.tensors[place]
        spec = Spec(tuple(shape), given.dtype, given.quant)
        return self.operator("RESHAPE", (place, self.numbers(tuple(shape))), spec, node)

    def transposed(self, place: int, perm: Perm) -> int:
        """Once for each order: what a weight's readers want alike is turned once."""
        if perm == tuple(range(len(perm))):
            return place
        given = self.tensors[place]
        if given.data is not None:
            return self.constant(given.data.transpose(perm), permuted(given.quant, perm))
        key = (place, "TRANSPOSE", perm)
        if key not in self.moved:
            shape = tuple(given.shape[a] for a in perm)
            if [a for a in perm if given.shape[a] != 1] == [a for a in range(len(perm)) if given.shape[a] != 1]:
                self.moved[key] = self.reshaped(place, shape)
            else:
                spec = Spec(shape, given.dtype, permuted(given.quant, perm))
                self.moved[key] = self.operator("TRANSPOSE", (place, self.numbers(perm)), spec)
        return self.moved[key]

    def zeros_like(self, place: int) -> int:
        key = (place, "ZEROS_LIKE", ())
        if key not in self.moved:
            self.moved[key] = self.like("ZEROS_LIKE", place)
        return self.moved[key]

    def padded(self, place: int, amounts: Sequence[tuple[int, int]], value: float = 0.0) -> int:
        """float32 with ``value`` around it."""
        if not any(map(any, amounts)):
            return place
        shape = tuple(n + sum(pair) for n, pair in zip(self.shape(place), amounts, strict=True))
        if value == 0:
            return self.floats("PAD", (place, self.numbers(amounts)), shape)
        return self.floats("PADV2", (place, self.numbers(amounts), self.constant(np.array([value], np.float32))), shape)

    def cut(
        self, place: int, starts: Sequence[int], stops: Sequence[int], steps: Sequence[int] | None = None,
        node: Node | None = None,
    ) -> int:  # fmt: skip
        """Elements starts, starts + steps, ... below stops."""
        steps = steps or (1,) * len(starts)
        shape = tuple(len(range(*r)) for r in zip(starts, stops, steps, strict=True))
        if shape == self.shape(place) and node is None:
            return place
        given = self.tensors[place]
        ends = (self.numbers(tuple(e)) for e in (starts, stops, steps))
        return self.operator("STRIDED_SLICE", (place, *ends), Spec(shape, given.dtype, given.quant), node)


Rule: TypeAlias = Callable[[Writing, Node], "int | tuple[int, ...]"]
