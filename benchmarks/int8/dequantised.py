"""An int8 network as the float network that it stands for: each row's float row, each constant its real numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, prod

import numpy as np

import selvedge as sv
from selvedge import ir
from selvedge.ir import Node, Value

ENDS = {"none": (-inf, inf), "relu": (0.0, inf), "relu6": (0.0, 6.0), "relu_n1_to_1": (-1.0, 1.0)}
GEOMETRY = ("stride", "padding", "dilation", "groups")
Row = Callable[[Node, Sequence[Value]], Value]


def dequantised(network: sv.Network) -> sv.Network:
    """Inputs, outputs and every step between in float32. Raises ``KeyError`` for a row that has no float row here."""
    now: dict[Value, Value] = {}
    leaves = {name: ir.input_leaf(name, ir.Spec(value.shape)) for name, value in network.graph.inputs.items()}
    now.update((value, leaves[name]) for name, value in network.graph.inputs.items())
    for node in network.graph.nodes():
        if node.op not in ("input", "constant"):
            now[Value(node)] = ROWS[node.op](node, [now[v] if v in now else _real(node, v) for v in node.inputs])
    outputs = {name: now[value] for name, value in network.graph.outputs.items()}
    return sv.Network(ir.Graph(leaves, {}, outputs), network.name)


def _real(node: Node, value: Value) -> Value:
    """A constant: weights by their scales; a bias by the product of the input's and the weights'."""
    array, (x, w) = np.asarray(value.node.attrs["value"], np.float64), node.attrs["quants"][:2]
    if value == node.inputs[1]:
        shape = [1] * array.ndim
        shape[w.axis or 0] = len(w.scale)
        zeros = w.zero_point * (len(w.scale) // len(w.zero_point))
        real = (array - np.reshape(zeros, shape)) * np.reshape(w.scale, shape)
    else:
        real = array * x.scale[0] * np.array(w.scale)
    return ir.constant(real.astype(np.float32))


def _activated(node: Node, x: Value) -> Value:
    low, high = ENDS[node.attrs["activation"]]
    if low == 0 and high == inf:
        return ir.apply("relu", x)
    return x if low == -inf else ir.apply("hardtanh", x, min=low, max=high)


def _conv(node: Node, given: Sequence[Value]) -> Value:
    made = ir.apply("conv2d", *given[:2], **{field: node.attrs[field] for field in GEOMETRY})
    return _activated(node, _biased(made, given))


def _linear(node: Node, given: Sequence[Value]) -> Value:
    x, w = given[:2]
    made = ir.apply("matmul", ir.reshape(x, (-1 if not x.shape else prod(x.shape[:-1]), x.shape[-1])),
                    ir.constant(w.node.attrs["value"].T), trans_a=False, trans_b=False)  # fmt: skip
    return _activated(node, ir.reshape(_biased(made, given), node.specs[0].shape))


def _biased(x: Value, given: Sequence[Value]) -> Value:
    return ir.apply("add", x, given[2]) if len(given) == 3 else x


def _average(node: Node, given: Sequence[Value]) -> Value:
    windows = {axis: node.attrs[axis] for axis in ("windows_h", "windows_w")}
    counts = {f"counts_{axis[-1]}": tuple(len(range(*w)) for w in of) for axis, of in windows.items()}
    return _activated(node, ir.apply("avg_pool", given[0], **windows, **counts))


ROWS: dict[str, Row] = {
    "int8_conv2d": _conv,
    "int8_linear": _linear,
    "int8_add": lambda node, given: _activated(node, ir.apply("add", *given)),
    "int8_average_pool": _average,
    "int8_softmax": lambda node, given: ir.apply("softmax", given[0]),
    "reshape": lambda node, given: ir.reshape(given[0], node.specs[0].shape),
}
