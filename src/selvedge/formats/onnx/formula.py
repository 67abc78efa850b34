"""A row as a formula of ONNX operators: what has no operator of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from selvedge.ir import Node, Value

from .sheet import Sheet


@dataclass(frozen=True, slots=True)
class Formula:
    """Tensors by name in, a tensor's name out; numbers become constants of ``dtype``."""

    sheet: Sheet
    dtype: str

    def __call__(self, op: str, *given: str | float, **attrs: Any) -> str:
        return self.sheet.emit(op, [self.number(g) for g in given], op.lower(), **attrs)

    def number(self, given: str | float) -> str:
        """A tensor's name, as it is, or a number's."""
        return given if isinstance(given, str) else self.sheet.constant(np.array(given, self.dtype), "number")

    def sum(self, x: str, axes: tuple[int, ...], keepdims: bool = True) -> str:
        """The sum over ``axes``: of opset 17 the one reduction whose axes are an input."""
        chosen = self.sheet.constant(np.array(axes, np.int64), "axes")
        return self.sheet.emit("ReduceSum", [x, chosen], "sum", keepdims=int(keepdims))

    def where(self, condition: str, yes: str | float, no: str | float) -> str:
        return self("Where", condition, yes, no)

    def cast(self, x: str, dtype: str) -> str:
        """ONNX's number of a type is that of its own table."""
        return self.sheet.emit("Cast", [x], "cast", to=TYPES[dtype])


TYPES = {
    "float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int32": 6, "int64": 7, "bool": 9, "float64": 11, "uint32": 12,
}  # fmt: skip
"""onnx.TensorProto.DataType."""

Written = Callable[..., str]
"""Of a :class:`Formula`, the operands' tensors and the row's numbers: the result's tensor."""


def elementwise(written: Written, *fields: str) -> Callable[[Sheet, Node], None]:
    """The rule of a row element by element. fields: the attributes that ``written`` takes behind the operands."""

    def rule(sheet: Sheet, node: Node) -> None:
        spec, way = node.specs[0], sheet.way(node.inputs)
        given = [sheet.tensor(v, way, len(spec.shape) if way else None) for v in node.inputs]
        dtype = next((v.dtype for v in node.inputs if v.spec.is_float), spec.dtype)
        made = written(Formula(sheet, dtype), *given, *(node.attrs[field] for field in fields))
        sheet.put(Value(node), made, way)

    return rule
