"""The windows of a pool as ONNX's kernel, strides, dilations and pads."""

from __future__ import annotations

from typing import Any

from selvedge.errors import NotSupported
from selvedge.ir import Node

from ..windows import sliding


def is_regular(node: Node) -> bool:
    """Whether one kernel, one stride, no dilation and one padding make the windows of an average."""
    shape = node.inputs[0].shape
    found = sliding(node.attrs["windows_h"], shape[1]), sliding(node.attrs["windows_w"], shape[2])
    return all(by is not None and by.dilation == 1 for by in found)


def pool_attrs(node: Node) -> dict[str, Any]:
    """Attributes of a MaxPool, and of an AveragePool where nothing is dilated.

    Raises :class:`NotSupported` for windows that no regular kernel makes.
    """
    shape = node.inputs[0].shape
    rows, columns = sliding(node.attrs["windows_h"], shape[1]), sliding(node.attrs["windows_w"], shape[2])
    if rows is None or columns is None:
        raise NotSupported(f"{node.op} over irregular windows", node.where, "a pool has one kernel and one stride")
    attrs: dict[str, Any] = {"kernel_shape": (rows.kernel, columns.kernel)}
    strides = rows.stride, columns.stride
    if strides != (1, 1):
        attrs["strides"] = strides
    if any(pads := (rows.before, columns.before, rows.after, columns.after)):
        attrs["pads"] = pads
    if (rows.dilation, columns.dilation) != (1, 1):
        if node.op != "max_pool":
            raise NotSupported(f"{node.op} over dilated windows", node.where, "an AveragePool of ONNX 17 has none")
        attrs["dilations"] = rows.dilation, columns.dilation
    return attrs
