"""Convolution and matrix product by weights that are mostly zero: what conv2d and matmul compute, the zeros left out.

``entries``: how many weights are not zero, so that the cost is known from the attributes. The weights are dense in the
graph; what is stored of them is decided when kernels are chosen. Where x is infinite or NaN a weight of zero gives NaN
in conv2d and nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph import Node, Spec, Value
from ..op import TABLE, Arrays, Attrs, Cost, Op, register
from ..rules import attr, require
from . import convolution as convolution  # the rows of the same meaning come first
from . import matmul as matmul

OF = {"sparse_conv2d": "conv2d", "sparse_matmul": "matmul"}
_PLAIN = {"trans_a": False, "trans_b": False}


def _dense(op: str, attrs: Attrs) -> dict[str, Any]:
    """The attributes of the dense row."""
    own = {name: value for name, value in attrs.items() if name != "entries"}
    return own if op == "sparse_conv2d" else {**own, **_PLAIN}


def _row(op: str) -> Op:
    dense = TABLE[OF[op]]

    def infer(specs: Sequence[Spec], attrs: Attrs) -> tuple[Spec, ...]:
        made = dense.infer(specs, _dense(op, attrs))
        if op == "sparse_conv2d":
            require(attrs["groups"] == 1, op, "groups", attrs["groups"], "must be 1")
        else:
            require(len(specs[0].shape) == 2, op, "x shape", specs[0].shape, "must be a matrix")
        entries, size = attr(op, attrs, "entries"), specs[1].size
        known = isinstance(entries, int) and 0 <= entries <= size
        require(known, op, "entries", entries, f"must be an integer from 0 to {size}")
        return made

    def evaluate(arrays: Arrays, attrs: Attrs) -> tuple[np.ndarray, ...]:
        return dense.evaluate(arrays, _dense(op, attrs))

    def gradient(node: Node, grads: Sequence[Value | None], needed: Sequence[bool]) -> Sequence[Value | None]:
        assert dense.gradient is not None
        same = Node(OF[op], node.inputs, node.specs, _dense(op, node.attrs), node.where)
        return dense.gradient(same, grads, needed)

    def cost(ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> Cost:
        return Cost(macs=outs[0].size // outs[0].shape[-1] * int(attrs["entries"]))

    return Op(op, infer, evaluate, gradient, cost)


for _op in OF:
    register(_row(_op))
