"""Float rows as the ONNX operator of the same meaning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from selvedge.ir import Node, Value

from .sheet import OIHW, TO_FIRST, Sheet, conv_attrs
from .write_gradients import averaged
from .write_pools import is_regular, pool_attrs

TURNED = (1, 0)


def _conv(sheet: Sheet, node: Node) -> None:
    given = [sheet.tensor(node.inputs[0], TO_FIRST), sheet.tensor(node.inputs[1], OIHW)]
    sheet.put(Value(node), sheet.emit("Conv", given, "conv", **conv_attrs(node)), TO_FIRST)


def _matmul(sheet: Sheet, node: Node) -> None:
    """Gemm transposes matrices; of batches of them the operand is transposed first."""
    turned = [node.attrs["trans_a"], node.attrs["trans_b"]]
    rank = len(node.specs[0].shape)
    if rank == 2:
        given = list[str]()
        for i, value in enumerate(node.inputs):
            if list(sheet.lies.get(value, ())) == [TURNED]:  # as PyTorch has a linear layer's weights
                given.append(sheet.lies[value][TURNED])
                turned[i] = not turned[i]
            else:
                given.append(sheet.tensor(value))
        flags = {name: 1 for name, t in zip(("transA", "transB"), turned, strict=True) if t}
        made = sheet.emit("Gemm", given, "gemm", **flags) if flags else sheet.emit("MatMul", given, "matmul")
    else:
        given = [sheet.tensor(v) for v in node.inputs]
        perm = (*range(rank - 2), rank - 1, rank - 2)
        sides = [
            sheet.emit("Transpose", [g], "transpose", perm=perm) if t else g for g, t in zip(given, turned, strict=True)
        ]
        made = sheet.emit("MatMul", sides, "matmul")
    sheet.put(Value(node), made)


def _average_pool(sheet: Sheet, node: Node) -> None:
    """ONNX's divisors, without its padding, are the elements that each window sees. Other ones, and other windows than
    one kernel's, are a product of matrices."""
    seen = all(
        tuple(len(range(*w)) for w in node.attrs[windows]) == tuple(node.attrs[counts])
        for windows, counts in (("windows_h", "counts_h"), ("windows_w", "counts_w"))
    )
    if not seen or not is_regular(node):
        _, height, width, _ = node.inputs[0].shape
        sheet.put(Value(node), averaged(sheet, node, height, width, transposed=False), TO_FIRST)
        return
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
    "avg_pool": _average_pool,
    "conv2d": _conv,
    "sparse_conv2d": _conv,
    "log_softmax": _softmax("LogSoftmax"),
    "matmul": _matmul,
    "reduce_max": _reduce("ReduceMax"),
    "reduce_sum": _reduce("ReduceSum"),
    "softmax": _softmax("Softmax"),
}  # fmt: skip
"""Row -> how it is written."""
