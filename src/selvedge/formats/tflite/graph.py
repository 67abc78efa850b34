"""A model as a graph of the op table: NHWC as it is, weights as state under their tensors' names. int8 operators become
int8 rows, those on float32 float rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from selvedge.errors import InvalidInput, NotSupported
from selvedge.ir import Graph, Spec, Value, frozen, input_leaf, interpret

from . import dynamic
from .floats import FLOATS, checked
from .layers import LAYERS
from .model import Model
from .moves import MOVES
from .node import Node, Weights
from .pointwise import POINTWISE

RULES: Mapping[str, Callable[[Node], Value]] = MappingProxyType({**LAYERS, **POINTWISE, **MOVES})
"""Operator name -> its rule: the checked operator, int8 or one that only moves, as a value of the op table."""


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """A model as a graph.

    graph: inputs "x", "x1", ..., outputs "output", "output1", ..., in the file's order.
    state: the constants that it reads, as they are stored (convolution weights HWIO): state name -> array.
    values: tensor index -> its value, for the inputs and for what operators make.
    real: of a file that rounds floats as it runs (:mod:`.dynamic`), the network that it stands for.
    """

    graph: Graph
    state: Mapping[str, np.ndarray]
    values: Mapping[int, Value]
    real: Read | None = None

    def frozen(self) -> Graph:
        """The graph with its state as constants: what is planned, where nothing of it learns."""
        return frozen(self.graph, self.state)


def graph(model: Model) -> Read:
    """``model`` as a graph, every operator checked against the tensors it reads and makes.

    Raises :class:`InvalidInput` for shapes, types or scales that do not go together, for accumulators that could
    overflow int32, and :class:`NotSupported` for an operator that has no meaning here in its types; each names the
    operator and the tensor.
    """
    steps = dynamic.scales(model)
    real = graph(dynamic.reals(model, steps)) if steps else None
    model = dynamic.integers(model, steps)
    weights = Weights(model, steps)
    values: dict[int, Value] = {}
    inputs: dict[str, Value] = {}
    for n, i in enumerate(model.inputs):
        tensor, name = model.tensors[i], f"x{n or ''}"
        values[i] = inputs[name] = input_leaf(name, Spec(tensor.shape, tensor.dtype, tensor.quant))
    for index, operator in enumerate(model.operators):
        values[operator.outputs[0]] = _value(Node(model.tensors, operator, index, values, weights))
    outputs = {f"output{n or ''}": values[i] for n, i in enumerate(model.outputs) if i in values}
    if len(outputs) < len(model.outputs):
        raise InvalidInput("tflite outputs", "a constant", "every output must be made by an operator")
    state = {str(leaf.node.attrs["name"]): leaf for leaf in weights.leaves.values()}
    return Read(Graph(inputs, state, outputs), weights.arrays, values, real)


def _value(node: Node) -> Value:
    name = node.operator.name
    real = node.input(0).dtype == "float32" and name in FLOATS
    rule = FLOATS[name] if real else RULES.get(name)
    if rule is None:
        raise NotSupported(name, node.where, "it can be read, and has no meaning here")
    try:
        if real:
            checked(node)
        made = rule(node)
    except ValueError as error:
        if isinstance(error, InvalidInput | NotSupported):
            raise
        raise InvalidInput(node.where, name, str(error)) from None
    if made.shape != node.y.shape:
        raise InvalidInput(f"{node.where}: shape", list(node.y.shape), f"{name} makes {list(made.shape)}")
    if made.dtype != node.y.dtype:
        raise InvalidInput(f"{node.where}: type", node.y.dtype, f"{name} makes {made.dtype}")
    return made


def compute(model: Model, arrays: Sequence[np.ndarray]) -> dict[int, np.ndarray]:
    """Tensor index -> array, for the inputs and for every tensor an operator makes: in numpy; what is int8 bit by
    bit as LiteRT's reference kernels compute it.

    arrays: one for each of ``model.inputs``, of its shape and dtype. Raises as :func:`graph`.
    """
    if len(arrays) != len(model.inputs):
        raise InvalidInput("inputs", f"{len(arrays)} arrays", f"the model has {len(model.inputs)}")
    for i, array in zip(model.inputs, arrays, strict=True):
        tensor = model.tensors[i]
        if array.shape != tensor.shape or array.dtype != np.dtype(tensor.dtype):
            told = f"{array.dtype} {list(array.shape)}"
            raise InvalidInput(f"input {tensor.name[:80]!r}", told, f"give {tensor.dtype} {list(tensor.shape)}")
    read = graph(model)
    every = Graph(read.graph.inputs, read.graph.state, {str(i): v for i, v in read.values.items()})
    found = interpret(every, dict(zip(every.inputs, arrays, strict=True)), read.state)
    return {int(i): array for i, array in found.items()}
