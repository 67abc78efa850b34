"""An ONNX model as a graph of the op table: images NHWC inside, weights as constants."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from selvedge.artifact.layout import Layout
from selvedge.errors import InvalidInput, NotSupported
from selvedge.ir import Graph, Value, input_leaf, joined, topological

from .expanded import FLOAT, expanded
from .folded import folded
from .model import Model, Operator
from .read_elementwise import ELEMENTWISE
from .read_layers import LAYERS
from .read_logic import LOGIC
from .read_moves import MOVES
from .read_norms import NORMS
from .read_picks import PICKS
from .read_pools import POOLS
from .read_quantised import MOVING, QUANTISED, input_quants
from .reading import TO_LAST, Node, Tensors, input_spec
from .tensors import printable

RULES: Mapping[str, Callable[[Node], None]] = MappingProxyType(
    {**ELEMENTWISE, **LAYERS, **LOGIC, **MOVES, **NORMS, **PICKS, **POOLS, **QUANTISED}
)
"""Operator -> its rule: the checked operator as rows of the op table."""

# Operators of which more than the first result is read, or refused by their own rule.
SEVERAL = ("Dropout", "LayerNormalization", "MaxPool", "Split")

# Operators that read images NCHW, and operators behind which there is no image any more.
IMAGES = ("Conv", "QLinearConv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "BatchNormalization")
RESHAPING = ("Flatten", "Gemm", "MatMul", "QLinearMatMul", "Reshape", "Squeeze", "Transpose", "Unsqueeze")


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """A model as a graph: inputs "x", "x1", ..., outputs "output", "output1", ..., in the file's order.
    ``layouts``: how those are stored that the file has channels first."""

    graph: Graph
    layouts: Mapping[str, Layout]


def graph(model: Model) -> Read:
    """``model`` as a graph of constants, images stored NHWC.

    DequantizeLinear -> operator -> QuantizeLinear is joined to an int8 row (:func:`selvedge.ir.joined`); what no int8
    row means stays float.

    Raises :class:`InvalidInput` and :class:`NotSupported`, which name the node and its operator.
    """
    tensors, inputs, layouts = Tensors(dict(model.constants)), {}, {}
    quants, images = input_quants(model), _images(model)
    for n, (name, (dtype, shape)) in enumerate(model.inputs.items()):
        layout = Layout.of(shape, TO_LAST if name in images else None)
        port = f"x{n or ''}"
        leaf = input_leaf(port, input_spec(dtype, layout.shape, quants, name))
        tensors.lies[name, name in images] = inputs[port] = leaf
        layouts[port] = layout
    for written in model.operators:
        for operator in expanded(written, tensors.constants):
            _take(operator, tensors, model.opset)
    outputs = {}
    for n, name in enumerate(model.outputs):
        port = f"output{n or ''}"
        outputs[port] = _output(name, tensors)
        layouts[port] = Layout.of(tensors.shape(name), TO_LAST if tensors.last(name) else None)
    made = joined(Graph(inputs, {}, outputs))
    return Read(made, {port: layout for port, layout in layouts.items() if layout.perm == TO_LAST})


def _images(model: Model) -> set[str]:
    """The inputs that operators on images read before another layout is made of them."""
    readers: dict[str, list[Operator]] = {}
    for node in model.operators:
        for name in node.inputs:
            readers.setdefault(name, []).append(node)
    found = set()
    for port, (_, shape) in model.inputs.items():
        left, seen = [port] if len(shape) == 4 else [], {port}
        while left and port not in found:
            for node in readers.get(left.pop(), ()):
                if node.op in IMAGES:
                    found.add(port)
                elif node.op not in RESHAPING and node.outputs[0] not in seen:
                    seen.add(node.outputs[0])
                    left.append(node.outputs[0])
    return found


def _take(operator: Operator, tensors: Tensors, opset: int) -> None:
    rule = RULES.get(operator.op)
    if _is_of_constants(operator, tensors):
        for name, array in zip(filter(None, operator.outputs), folded(operator, opset, tensors.constants), strict=True):
            tensors.constants[name] = array
        return
    if operator.op in ("Shape", "Size"):
        tensors.constants[operator.outputs[0]] = _told(operator, tensors.shape(operator.inputs[0]))
        return
    if rule is None:
        raise NotSupported(operator.op, operator.where, f"the operators are {', '.join(sorted({*RULES, *FLOAT}))}")
    if any(operator.outputs[1:]) and operator.op not in SEVERAL:
        raise NotSupported(f"{operator.op} of several results", operator.where, "export it with one")
    try:
        rule(Node(operator, tensors, opset))
    except ValueError as error:
        if isinstance(error, InvalidInput | NotSupported):
            raise
        raise InvalidInput(operator.where, operator.said, str(error)) from None
    if operator.op in MOVING and operator.inputs[0] in tensors.unsigned:
        tensors.unsigned.add(operator.outputs[0])


def _told(operator: Operator, shape: tuple[int, ...]) -> np.ndarray:
    """Shape and Size: here every shape is known."""
    if operator.op == "Size":
        return np.array(math.prod(shape), np.int64)
    start, end = operator.attrs.get("start", 0), operator.attrs.get("end", len(shape))
    if not isinstance(start, int) or not isinstance(end, int):
        raise InvalidInput(f"{operator.where}: start and end", (start, end), "give integers")
    return np.array(shape[slice(start, end)], np.int64)


def _is_of_constants(operator: Operator, tensors: Tensors) -> bool:
    """Whether it is made now: what stands for real numbers is not, for its integers are what counts."""
    names = [name for name in operator.inputs if name]
    if operator.op in ("QuantizeLinear", "DequantizeLinear") or operator.part_of or operator.op.startswith("Random"):
        return False
    return bool(names) and all(name in tensors.constants for name in names)


def _output(name: str, tensors: Tensors) -> Value:
    what = f"onnx output {printable(name)!r}"
    if name in tensors.unsigned:
        raise NotSupported("an output of uint8", what, "give it float32 or int8")
    if not tensors.holds(name):
        raise InvalidInput(what, "an index", "an output is float32 or int8")
    value = tensors.value(name, tensors.last(name))
    if not _reads_input(value):
        raise InvalidInput(what, "a constant", "an output must depend on an input")
    return value


def _reads_input(value: Value) -> bool:
    return any(node.op == "input" for node in topological([value.node]))
