"""Float rows as the ONNX operator of the same meaning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from selvedge.errors import NotSupported
from selvedge.ir import Node, Value

from .sheet import OIHW, TO_FIRST, Sheet, conv_attrs
from .write_pools import pool_attrs


def _conv(sheet: Sheet, node: Node) -> None:
    given = [sheet.tensor(node.inputs[0], TO_FIRST), sheet.tensor(node.inputs[1], OIHW)]
    sheet.put(Value(node), sheet.emit("Conv", given, "conv", **conv_attrs(node)), TO_FIRST)


def _matmul(sheet: Sheet, node: Node) -> None:
    """Gemm transposes matrices; of batches of them the operand is transposed first."""
    given, turned = [sheet.tensor(v) for v in node.inputs], [node.attrs["trans_a"], node.attrs["trans_b"]]
    rank = len(node.specs[0].shape)
    if rank == 2 and any(turned):
        made = sheet.emit("Gemm", given, "gemm", transA=int(turned[0]), transB=int(turned[1]))
    else:
        perm = (*range(rank - 2), rank - 1, rank - 2)
        sides = [
            sheet.emit("Transpose", [g], "transpose", perm=perm) if t else g for g, t in zip(given, turned, strict=True)
        ]
        made = sheet.emit("MatMul", sides, "matmul")
    sheet.put(Value(node), made)


def _elementwise(op: str) -> Callable[[Sheet, Node], None]:
    def rule(sheet: Sheet, node: Node) -> None:
        rank = len(node.specs[0].shape)
        way = sheet.way(node.inputs)
        given = [sheet.tensor(v, way, rank if way else None) for v in node.inputs]
        sheet.put(Value(node), sheet.emit(op, given, node.op), way)

    return rule


def _clip(sheet: Sheet, node: Node) -> None:
    way = sheet.way(node.inputs)
    ends = [sheet.constant(np.array(node.attrs[end], node.specs[0].dtype), "bound") for end in ("min", "max")]
    sheet.put(Value(node), sheet.emit("Clip", [sheet.tensor(node.inputs[0], way), *ends], "clip"), way)


def _average_pool(sheet: Sheet, node: Node) -> None:
    """Its divisors are the elements that each window sees: ONNX's, without its padding."""
    for windows, counts in (("windows_h", "counts_h"), ("windows_w", "counts_w")):
        if tuple(len(range(*w)) for w in node.attrs[windows]) != tuple(node.attrs[counts]):
            raise NotSupported("avg_pool that counts its padding", node.where, "count what a window sees")
    given = sheet.tensor(node.inputs[0], TO_FIRST)
    made = sheet.emit("AveragePool", [given], "average_pool", **pool_attrs(node))
    sheet.put(Value(node), made, TO_FIRST)


def _softmax(op: str) -> Callable[[Sheet, Node], None]:
    def rule(sheet: Sheet, node: Node) -> None:
        sheet.put(Value(node), sheet.emit(op, [sheet.tensor(node.inputs[0])], node.op))

    return rule


def _reduce(op: str) -> Callable[[Sheet, Node], None]:
    def rule(sheet: Sheet, node: Node) -> None:
        given, keep = [sheet.tensor(node.inputs[0])], int(bool(node.attrs["keepdims"]))
        axes = tuple(node.attrs["axes"])
        if op == "ReduceSum":  # the one of opset 17 whose axes are an input
            made = sheet.emit(op, [*given, sheet.constant(np.array(axes, np.int64), "axes")], node.op, keepdims=keep)
        else:
            made = sheet.emit(op, given, node.op, axes=axes, keepdims=keep)
        sheet.put(Value(node), made)

    return rule


FLOAT: dict[str, Callable[[Sheet, Node], Any]] = {
    **{
        row: _elementwise(op)
        for row, op in {
            "add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "relu": "Relu", "sigmoid": "Sigmoid",
            "tanh": "Tanh", "hardswish": "HardSwish", "softplus": "Softplus", "exp": "Exp", "log": "Log",
            "sqrt": "Sqrt", "abs": "Abs", "neg": "Neg", "reciprocal": "Reciprocal", "erf": "Erf",
        }.items()
    },
    "avg_pool": _average_pool,
    "clamp": _clip,
    "conv2d": _conv,
    "hardtanh": _clip,
    "log_softmax": _softmax("LogSoftmax"),
    "matmul": _matmul,
    "reduce_max": _reduce("ReduceMax"),
    "reduce_sum": _reduce("ReduceSum"),
    "softmax": _softmax("Softmax"),
}  # fmt: skip
"""Row -> how it is written."""
