"""A Relax function that is being built: what each value is in it. Arrays lie as the graph has them: NHWC and HWIO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tvm import relax, te
from tvm import tirx as tir

from selvedge.ir import Node, Value

Row = Callable[["Sheet", Node], None]


@dataclass(slots=True)
class Sheet:
    """builder: of the function. lies: value -> its variable. constants: by bytes, so that equal ones are one."""

    builder: Any
    lies: dict[Value, Any] = field(default_factory=dict)
    constants: dict[tuple[str, tuple[int, ...], bytes], Any] = field(default_factory=dict)

    def of(self, value: Value) -> Any:
        if value.node.op == "constant":
            return self.constant(np.asarray(value.node.attrs["value"]))
        return self.lies[value]

    def constant(self, array: np.ndarray) -> Any:
        array = np.asarray(array, order="C")
        key = array.dtype.name, array.shape, array.tobytes()
        if key not in self.constants:
            self.constants[key] = relax.const(array, array.dtype.name)
        return self.constants[key]

    def put(self, value: Value, made: Any) -> None:
        self.lies[value] = made

    def compute(self, node: Node, body: Callable[..., Any], *operands: Any, index: int = 0) -> None:
        """Result ``index`` of ``node`` is ``body(*tensors of the operands)``, a tensor expression; it gets the name of
        the row, so that kernels are found again in what is compiled."""
        made = self.builder.emit_te(body, *operands, primfunc_name_hint=node.op)
        self.put(Value(node, index), made)

    def compute_values(self, node: Node, body: Callable[..., Any]) -> None:
        """As :meth:`compute` of the node's own inputs."""
        self.compute(node, body, *(self.of(v) for v in node.inputs))


def at(tensor: Any, indices: Sequence[Any]) -> Any:
    """The element that ``indices`` of what it broadcasts to mean."""
    own = indices[len(indices) - len(tensor.shape) :]
    return tensor(*(0 if int(n) == 1 else i for n, i in zip(tensor.shape, own, strict=True)))


def kind(expression: Any) -> str:
    """Its dtype."""
    return str(expression.ty.dtype)


def number(value: float, dtype: str) -> Any:
    """A constant in an expression; infinities are the type's own."""
    if value == float("inf"):
        return tir.infinity(dtype)
    if value == float("-inf"):
        return -tir.infinity(dtype)
    return tir.const(value, dtype)


def elements(shape: Sequence[int], body: Callable[..., Any]) -> Any:
    """A tensor of ``shape``; ``body`` gets the indices."""
    return te.compute(tuple(shape), body)
