"""An ONNX graph being written: nodes, constants, and in which layout each value lies in it.

Our images are NHWC, ONNX's operators take NCHW. A value is written in the layout that its operator makes, and is
transposed only where a reader wants the other one: a network of convolutions has a transpose at its input, no more.
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

TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


@dataclass(slots=True)
class Sheet:
    """nodes, constants: what is written so far. ``lies``: (value, channels first) -> the tensor's name. ``operators``:
    whether an int8 row is one operator where the standard has it, instead of QDQ. ``made``: what is dequantised
    already. ``taken``: names of inputs and outputs, which no tensor inside gets. ``alike``: value -> (name, shape) of a
    tensor of another shape with its elements in its order."""

    operators: bool = False
    taken: Set[str] = frozenset()
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)
    lies: dict[tuple[Value, bool], str] = field(default_factory=dict)
    shared: dict[tuple[str, tuple[int, ...], bytes], str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    made: dict[tuple[tuple[str, ...], int | None], str] = field(default_factory=dict)
    alike: dict[Value, tuple[str, tuple[int, ...]]] = field(default_factory=dict)

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

    def first(self, values: Sequence[Value]) -> bool:
        """Whether an operator on all of ``values`` is to work on NCHW: where one of them lies so, and none is what it
        would not fit."""
        images = [v for v in values if len(v.shape) == 4]
        return any((v, True) in self.lies for v in images)

    def tensor(self, value: Value, first: bool = False, rank: int | None = None) -> str:
        """``value``, of four axes NCHW where ``first``; with leading axes of one element up to ``rank``."""
        array = known(value)
        shape = (1,) * ((rank or 0) - len(value.shape)) + value.shape
        if array is not None:
            array = array.reshape(shape)
            return self.constant(array.transpose(TO_FIRST) if first else array, value.node.op)
        if value in self.alike and not {(value, False), (value, True)} & self.lies.keys():
            self.put(value, self.shaped(self.alike[value][0], value.shape))
        if (value, first) in self.lies and shape == value.shape:
            return self.lies[value, first]
        if shape != value.shape:
            lifted = self.shaped(self.tensor(value), shape)
            return self._turned(lifted, shape, TO_FIRST) if first else lifted
        made = self._turned(self.lies[value, not first], value.shape, TO_FIRST if first else None)
        self.lies[value, first] = made
        return made

    def _turned(self, name: str, shape: tuple[int, ...], perm: tuple[int, ...] | None) -> str:
        """``name`` of the NHWC ``shape`` in NCHW, or (without perm) the way back."""
        n, h, w, c = shape
        if c == 1 or h * w == 1:  # no element moves
            return self.shaped(name, (n, c, h, w) if perm else shape)
        return self.emit("Transpose", [name], "transpose", perm=perm or TO_LAST)

    def shaped(self, name: str, shape: tuple[int, ...]) -> str:
        """Tensor ``name`` in another shape."""
        return self.emit("Reshape", [name, self.constant(np.array(shape, np.int64), "shape")], "reshape")

    def put(self, value: Value, name: str, first: bool = False) -> None:
        """``value`` is tensor ``name``."""
        self.lies[value, first] = name

    def real(self, value: Value, first: bool = False, rank: int | None = None) -> str:
        """The real numbers that the int8 ``value`` stands for."""
        return self.dequantised(self.tensor(value, first, rank), quant_of(value))

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
