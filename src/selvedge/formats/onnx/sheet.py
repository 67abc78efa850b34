"""An ONNX graph being written: nodes, constants, and in which orders of its axes each value lies in it.

Our images are NHWC and our weights HWIO, ONNX's operators take NCHW and OIHW. A value is written in the order that its
operator makes, and is transposed only where a reader wants another one: a network of convolutions has a transpose at
its input, no more, and an optimiser's rule works on weights and moments as PyTorch has them.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from selvedge.errors import NotSupported
from selvedge.ir import Node, Quant, Value
from selvedge.ir.ops.integer_convolution import known

Way = tuple[int, ...] | None
"""How a value lies: axis i of the tensor is the value's axis ``way[i]``; None: as the value has them."""

TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)  # NCHW of our NHWC, and back
OIHW = (3, 2, 0, 1)  # of our HWIO


@dataclass(slots=True)
class Sheet:
    """nodes, constants: what is written so far. ``lies``: value -> way -> the tensor's name. ``operators``: whether an
    int8 row is one operator where the standard has it, instead of QDQ. ``made``: what is dequantised already.
    ``taken``: names of inputs and outputs, which no tensor inside gets. ``lifted``: value with leading axes of one
    element, and its way -> its name. ``read``: what any node reads or the graph gives. ``program``: whether a session
    of ours runs it, and not whoever is given a file."""

    operators: bool = False
    program: bool = False
    taken: Set[str] = frozenset()
    read: Set[Value] = frozenset()
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)
    lies: dict[Value, dict[Way, str]] = field(default_factory=dict)
    shared: dict[tuple[str, tuple[int, ...], bytes], str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    made: dict[tuple[tuple[str, ...], int | None], str] = field(default_factory=dict)
    lifted: dict[tuple[Value, Way, int], str] = field(default_factory=dict)

    def name(self, stem: str) -> str:
        """A tensor's name that is not taken."""
        while True:
            self.counts[stem] = self.counts.get(stem, -1) + 1
            made = f"{stem}_{self.counts[stem]}"
            if made not in self.taken:
                return made

    def emit(self, op: str, inputs: Sequence[str], stem: str, **attrs: Any) -> str:
        """A node of one result; that tensor's name."""
        made = self.name(stem)
        self.nodes.append(helper.make_node(op, list(inputs), [made], **attrs))
        return made

    def constant(self, array: np.ndarray, stem: str) -> str:
        """The tensor of a constant; equal ones are one."""
        array = np.ascontiguousarray(array).reshape(array.shape)  # numpy makes a vector of a 0-d array
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self.shared:
            self.shared[key] = name = self.name(stem)
            self.constants[name] = numpy_helper.from_array(array, name)
        return self.shared[key]

    def way(self, values: Sequence[Value]) -> Way:
        """In which order of axes an operator element by element on ``values`` is to work: NCHW where one of those of
        the most axes lies so, else that in which most of them lie."""
        rank = max(len(v.shape) for v in values)
        found = [way for v in values if len(v.shape) == rank for way in self.lies.get(v, ())]
        if rank == 4 and TO_FIRST in found:
            return TO_FIRST
        return max(found, key=lambda way: (found.count(way), way is not None), default=None)

    def tensor(self, value: Value, way: Way = None, rank: int | None = None) -> str:
        """``value`` in the order ``way``; first with leading axes of one element up to ``rank``."""
        array = known(value)
        shape = (1,) * ((rank or 0) - len(value.shape)) + value.shape
        if array is not None:
            array = array.reshape(shape)
            return self.constant(array.transpose(way) if way else array, value.node.op)
        if shape != value.shape:
            key = value, way, len(shape)
            if key not in self.lifted:
                self.lifted[key] = self._turned(self.tensor(value), None, way, shape, value.shape)
            return self.lifted[key]
        ways = self.lies[value]
        if way not in ways:
            from_way, name = next(iter(ways.items()))
            ways[way] = self._turned(name, from_way, way, shape)
        return ways[way]

    def as_it_lies(self, value: Value) -> tuple[str, tuple[int, ...]]:
        """A tensor that has the elements of ``value`` in their own order, and that tensor's shape, which may have axes
        of one element elsewhere."""
        for way, name in self.lies.get(value, {}).items():
            if way is None or in_order(value.shape, way):
                return name, value.shape if way is None else tuple(value.shape[a] for a in way)
        return self.tensor(value), value.shape

    def _turned(
        self, name: str, before: Way, after: Way, shape: tuple[int, ...], given: tuple[int, ...] | None = None
    ) -> str:
        """Tensor ``name`` of a value of ``shape``, in the order ``after`` instead of ``before``. given: the shape that
        it has now, where that is not the value's in that order."""
        identity = tuple(range(len(shape)))
        first, second = before or identity, after or identity
        perm = tuple(first.index(a) for a in second)
        made = tuple(shape[a] for a in second)
        if in_order(tuple(shape[a] for a in first), perm):  # no element moves
            return name if made == given else self.shaped(name, made)
        if given is not None:
            name = self.shaped(name, tuple(shape[a] for a in first))
        return self.emit("Transpose", [name], "transpose", perm=perm)

    def shaped(self, name: str, shape: tuple[int, ...]) -> str:
        """Tensor ``name`` in another shape."""
        return self.emit("Reshape", [name, self.constant(np.array(shape, np.int64), "shape")], "reshape")

    def put(self, value: Value, name: str, way: Way = None) -> None:
        """``value`` is tensor ``name``."""
        self.lies.setdefault(value, {})[way] = name

    def real(self, value: Value, way: Way = None, rank: int | None = None) -> str:
        """The real numbers that the int8 ``value`` stands for."""
        return self.dequantised(self.tensor(value, way, rank), quant_of(value))

    def dequantised(
        self, name: str, quant: Quant, axis: int | None = None, dtype: str = "int8", zero_said: bool = True
    ) -> str:
        """DequantizeLinear; ``axis``: that of several scales in the tensor as it lies here, 1 by default. A zero point
        of 0 is its default too; but for a convolution's constants, ONNX Runtime fuses only what says it."""
        attrs = {} if axis in (None, 1) else {"axis": axis}
        said = zero_said or any(quant.zero_point)
        scale, zero = self.parameters(quant, dtype) if said else (self.scale(quant), "")
        given = tuple(filter(None, (name, scale, zero)))
        if (given, axis) not in self.made:
            self.made[given, axis] = self.emit("DequantizeLinear", given, "dequantise", **attrs)
        return self.made[given, axis]

    def quantised(self, name: str, quant: Quant) -> str:
        """QuantizeLinear to int8."""
        return self.emit("QuantizeLinear", [name, *self.parameters(quant, "int8")], "quantise")

    def parameters(self, quant: Quant, dtype: str) -> tuple[str, str]:
        """The tensors of scale and zero point."""
        shape = () if quant.axis is None else (len(quant.scale),)
        zero = np.broadcast_to(np.array(quant.zero_point, dtype), len(quant.scale)).reshape(shape)
        return self.scale(quant), self.constant(zero, "zero_point")

    def scale(self, quant: Quant) -> str:
        """The tensor of the scales."""
        scale = np.array(quant.scale, np.float32)
        return self.constant(scale.reshape(()) if quant.axis is None else scale, "scale")


def in_order(shape: tuple[int, ...], perm: tuple[int, ...]) -> bool:
    """Whether transposing ``shape`` by ``perm`` moves no element: only axes of one change their places."""
    moved = [a for a in perm if shape[a] != 1]
    return moved == sorted(moved)


def quant_of(value: Value) -> Quant:
    """That of an int8 value. Raises :class:`NotSupported` for one that stands for no real numbers."""
    if value.spec.quant is None or value.dtype != "int8":
        raise NotSupported(f"a {value.dtype} value without a scale", value.node.where, "give it a Quant")
    return value.spec.quant


def conv_attrs(node: Node) -> dict[str, Any]:
    """Of a Conv, whose weights say the kernel's shape: what is no default."""
    (top, bottom), (left, right) = node.attrs["padding"]
    said = {
        "strides": (tuple(node.attrs["stride"]), (1, 1)),
        "dilations": (tuple(node.attrs["dilation"]), (1, 1)),
        "pads": ((top, left, bottom, right), (0, 0, 0, 0)),
        "group": (node.attrs["groups"], 1),
    }
    return {name: value for name, (value, default) in said.items() if value != default}


def weights_of(node: Node, i: int) -> np.ndarray:
    """Operand ``i`` of ``node`` as an array. Raises :class:`NotSupported` where it is no constant."""
    array = known(node.inputs[i])
    if array is None:
        raise NotSupported(f"{node.op} with computed weights", node.where, "freeze the weights to constants")
    return array
