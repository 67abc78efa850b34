"""An ONNX model made ready to learn: whoever has written it, a layer has its bias, each layer its own, and at the end
are logits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from selvedge.errors import InvalidInput

from .onnx import Model
from .onnx.model import Operator

SOFTMAX = ("LogSoftmax", "Softmax")
VECTORS = ("Add", "BatchNormalization", "Conv", "ConvTranspose", "Gemm", "LayerNormalization", "MatMul")
"""What reads vectors that learn."""
LEAST: Mapping[str, int] = {
    **dict.fromkeys((*VECTORS, "DequantizeLinear", "QuantizeLinear"), 2), **dict.fromkeys((*SOFTMAX, "Transpose"), 1)
}  # fmt: skip
"""Operator -> how many inputs it has at least, of those that are looked at before the graph is read."""


def prepared(model: Model) -> Model:
    """Raises :class:`InvalidInput` for an operator that lacks an input."""
    for node in model.operators:
        least = LEAST.get(node.op, 0)
        if len(node.inputs) < least:
            raise InvalidInput(f"{node.where}: inputs", len(node.inputs), f"at least {least} of them")
    return _apart(_with_biases(_without_softmax(_own(model))))


def _own(model: Model) -> Model:
    """``model`` in which what only hands on a constant is a constant: exporters say so of equal ones, each of which
    learns for itself."""
    constants, operators = dict(model.constants), []
    for node in model.operators:
        if (
            node.op == "Identity"
            and node.inputs
            and node.inputs[0] in constants
            and node.outputs[0] not in model.outputs
        ):
            constants[node.outputs[0]] = constants[node.inputs[0]]
        else:
            operators.append(node)
    return replace(model, constants=constants, operators=tuple(operators))


def _with_biases(model: Model) -> Model:
    """``model`` in which a convolution has its bias: some writers, ours among them, add it behind."""
    made = {node.outputs[0]: node for node in model.operators if node.op == "Conv"}
    readers = Counter(name for node in model.operators for name in node.inputs)
    constants, now, gone = dict(model.constants), dict[int, Operator](), set[int]()
    for node in model.operators:
        for sums, added in (node.inputs[:2], node.inputs[1::-1]) if node.op == "Add" else ():
            conv = made.get(sums)
            if conv is None or readers[sums] > 1 or sums in model.outputs or any(conv.inputs[2:]):
                continue
            channels = _channels(model.constants.get(added), model.constants.get(conv.inputs[1]))
            if channels is not None:
                bias = f"{added} along channels"
                constants[bias] = channels
                now[conv.index] = replace(conv, inputs=(*conv.inputs[:2], bias), outputs=node.outputs)
                gone.add(node.index)
                break
    operators = tuple(now.get(node.index, node) for node in model.operators if node.index not in gone)
    return replace(model, constants=constants, operators=operators)


def _channels(added: np.ndarray | None, weight: np.ndarray | None) -> np.ndarray | None:
    """A number a channel of what is convolved, [N, C, ...]: ``added`` of [1, C, 1, ...] or [C, 1, ...] as [C]."""
    if added is None or weight is None or added.dtype != np.float32 or added.ndim not in (weight.ndim - 1, weight.ndim):
        return None
    axis = added.ndim - weight.ndim + 1
    return added.reshape(-1) if added.size == added.shape[axis] == weight.shape[0] else None


def _apart(model: Model) -> Model:
    """``model`` in which no two operators read the same vector: writers keep equal ones once, as biases that begin with
    zeros, and each of those learns for itself. Matrices that are the same are meant so."""
    constants, operators, seen = dict(model.constants), [], set[str]()
    for node in model.operators:
        inputs = list(node.inputs)
        for i, name in enumerate(node.inputs if node.op in VECTORS else ()):
            array = constants.get(name)
            if array is None or array.dtype != np.float32 or array.size != max(array.shape, default=0):
                continue
            if name in seen:
                inputs[i] = f"{name} of node {node.index}"
                constants[inputs[i]] = array
            seen.add(name)
        operators.append(replace(node, inputs=tuple(inputs)))
    return replace(model, constants=constants, operators=tuple(operators))


def _without_softmax(model: Model) -> Model:
    made = {node.outputs[0]: node for node in model.operators}
    ends = {name: made[name].inputs[0] for name in model.outputs if name in made and made[name].op in SOFTMAX}
    read = {name for node in model.operators for name in node.inputs}
    gone = {name for name in ends if name not in read and ends[name] not in model.outputs}
    outputs = tuple(ends[name] if name in gone else name for name in model.outputs)
    return replace(model, operators=tuple(n for n in model.operators if n.outputs[0] not in gone), outputs=outputs)
