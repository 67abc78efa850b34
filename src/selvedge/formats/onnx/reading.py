"""An ONNX graph being read: which value each tensor is, and in which layout.

ONNX's images are NCHW, ours NHWC. A tensor of four axes is kept in the layout in which it was made and transposed only
where a reader wants the other one: between convolutions no transpose is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from selvedge.errors import InvalidInput, NotSupported
from selvedge.ir import Spec, Value, constant, evaluate_node, reshape, transpose

from .model import Operator
from .tensors import printable

MOST_RESULT = 2**27  # elements of what a node makes: a few bytes of a file may ask for all of a machine's memory
TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


@dataclass(slots=True, eq=False)
class Tensors:
    """constants: by name, in the file's layout. ``lies``: (name, channels last) -> its value.

    indices: int8 values that a Cast made indices of. ``looked``: what was looked up with one: (int8 value, float32
    [256] by index, a negative one from the end). ``unsigned``: tensors of uint8, whose values here are 128 less.
    """

    constants: dict[str, np.ndarray]
    lies: dict[tuple[str, bool], Value] = field(default_factory=dict)
    indices: dict[str, tuple[Value, bool]] = field(default_factory=dict)
    looked: dict[str, tuple[Value, np.ndarray, bool]] = field(default_factory=dict)
    unsigned: set[str] = field(default_factory=set)

    def last(self, name: str) -> bool:
        """Whether ``name`` lies channels last."""
        return (name, True) in self.lies

    def value(self, name: str, last: bool = False) -> Value:
        """Tensor ``name``, in the file's layout or (of four axes) channels last."""
        if name in self.constants and (name, False) not in self.lies:
            self.lies[name, False] = constant(self.constants[name])
        if (name, last) not in self.lies:
            other = self.lies[name, not last]
            self.lies[name, last] = settled(transpose(other, TO_LAST if last else TO_FIRST))
        return self.lies[name, last]

    def shape(self, name: str) -> tuple[int, ...]:
        """In the file's order of axes."""
        if name in self.constants:
            return self.constants[name].shape
        if (name, False) in self.lies:
            return self.lies[name, False].shape
        return tuple(self.lies[name, True].shape[a] for a in TO_FIRST)

    def holds(self, name: str) -> bool:
        """Whether ``name`` is a value: an index, or what was looked up, is none."""
        return name in self.constants or (name, False) in self.lies or (name, True) in self.lies


def settled(value: Value) -> Value:
    """``value``; a constant where its row reads constants alone. What stands for real numbers stays as it is: its
    integers are what counts."""
    node = value.node
    if not node.inputs or node.op == "dequantise" or any(v.node.op != "constant" for v in node.inputs):
        return value
    arrays = evaluate_node(node, [v.node.attrs["value"] for v in node.inputs])
    return constant(arrays[value.index], quant=value.spec.quant)


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """An operator with its tensors at hand, and what every rule asks of them."""

    operator: Operator
    tensors: Tensors
    opset: int

    @property
    def where(self) -> str:
        return self.operator.where

    def refuse(self, field: str, value: object, fix: str) -> NoReturn:
        raise InvalidInput(f"{self.where}: {field}", value, fix)

    def require(self, holds: bool, field: str, value: object, fix: str) -> None:
        if not holds:
            self.refuse(field, value, fix)

    def unsupported(self, what: str, fix: str) -> NoReturn:
        raise NotSupported(what, self.where, fix)

    def count(self, least: int, most: int | None = None) -> None:
        """How many inputs there are; the first ``least`` are given."""
        given, most = self.operator.inputs, least if most is None else most
        told = f"{least}" if most == least else f"{least} to {most}"
        self.require(least <= len(given) <= most, "inputs", len(given), f"{told} of them")
        if not all(given[:least]):
            self.refuse(f"input {given.index('')}", "left out", "give it")
        for name in filter(None, given):
            self.require(self.tensors.holds(name), "input", printable(name), "an index only looks something up")

    def what(self, i: int) -> str:
        """Input ``i`` in a message: of a part of an operator it has another number there."""
        return "input" if self.operator.part_of else f"input {i}"

    def name(self, i: int) -> str:
        """Of input ``i``; "" where it is left out."""
        return self.operator.inputs[i] if i < len(self.operator.inputs) else ""

    def shape(self, i: int) -> tuple[int, ...]:
        return self.tensors.shape(self.name(i))

    def last(self, i: int) -> bool:
        return self.tensors.last(self.name(i))

    def value(self, i: int, last: bool = False) -> Value:
        return self.tensors.value(self.name(i), last)

    def array(self, i: int) -> np.ndarray:
        """Input ``i``, a constant, in the file's layout."""
        value = self.value(i)
        if value.node.op == "dequantise" and value.node.inputs[0].node.op == "constant":
            return np.asarray(evaluate_node(value.node, [value.node.inputs[0].node.attrs["value"]])[0])
        if value.node.op != "constant":
            self.unsupported(f"{self.operator.said} with a computed {self.what(i)}", "export it as a constant")
        return np.asarray(value.node.attrs["value"])

    def whole(self, i: int) -> tuple[int, ...]:
        """Input ``i``, a constant of integers."""
        found = self.array(i)
        self.require(found.dtype.kind == "i" and found.ndim <= 1, f"input {i}", found.dtype.name, "a list of integers")
        return tuple(int(n) for n in found.reshape(-1))

    def put(self, value: Value, last: bool = False, result: int = 0) -> None:
        """What the node makes: its ``result``-th result."""
        size = value.spec.size
        self.require(0 < size <= MOST_RESULT, "result", f"{size} elements", f"from 1 to {MOST_RESULT}")
        self.tensors.lies[self.operator.outputs[result], last] = settled(value)

    def number(self, name: str, default: float) -> float:
        found = self.operator.attrs.get(name, default)
        if not isinstance(found, int | float):
            self.refuse(name, found, "a number")
        return float(found)

    def integer(self, name: str, default: int) -> int:
        found = self.operator.attrs.get(name, default)
        if not isinstance(found, int):
            self.refuse(name, found, "an integer")
        return found

    def text(self, name: str, default: str) -> str:
        return str(self.operator.attrs.get(name, default))

    def integers(self, name: str, default: tuple[int, ...], least: int = 0) -> tuple[int, ...]:
        """As many as ``default`` has."""
        found: Any = self.operator.attrs.get(name, default)
        ok = isinstance(found, tuple) and len(found) == len(default) and all(isinstance(n, int) for n in found)
        self.require(ok and all(n >= least for n in found), name, found, f"{len(default)} integers >= {least}")
        return tuple(found)

    def axis(self, given: int, rank: int) -> int:
        """From 0."""
        self.require(-rank <= given < rank, "axis", given, f"from {-rank} to {rank - 1}")
        return given % rank


def lifted(node: Node, i: int, rank: int, last: bool) -> Value:
    """Input ``i`` with leading axes of one element up to ``rank``, channels last where ``last``."""
    shape = node.shape(i)
    if len(shape) == rank:
        return node.value(i, last)
    whole = settled(reshape(node.value(i), (1,) * (rank - len(shape)) + shape, node.where))
    return settled(transpose(whole, TO_LAST, node.where)) if last else whole


def input_spec(dtype: str, shape: tuple[int, ...], quants: Mapping[str, Any], name: str) -> Spec:
    """Of an input of the file. int64, as exporters give indices, is int32 here: what is looked up is less."""
    if dtype not in ("float32", "int8", "int32", "int64", "bool"):
        told = "give it float32, int8, int32 or bool"
        raise NotSupported(f"an input of {dtype}", f"onnx input {printable(name)!r}", told)
    return Spec(shape, "int32" if dtype == "int64" else dtype, quants.get(name))
