"""An ONNX model as a graph of the op table: images NHWC inside, weights as constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from selvedge.errors import InvalidInput, NotSupported
from selvedge.ir import Graph, Value, input_leaf, joined, topological

from .model import Model, Operator
from .read_elementwise import ELEMENTWISE
from .read_layers import LAYERS
from .read_moves import MOVES
from .read_pools import POOLS
from .read_quantised import MOVING, QUANTISED, input_quants
from .reading import TO_LAST, Node, Tensors, input_spec
from .tensors import printable

RULES: Mapping[str, Callable[[Node], None]] = MappingProxyType(
    {**ELEMENTWISE, **LAYERS, **MOVES, **POOLS, **QUANTISED}
)
"""Operator -> its rule: the checked operator as rows of the op table."""


def graph(model: Model, channels_last: bool = False) -> Graph:
    """``model`` as a graph: inputs "x", "x1", ..., outputs "output", "output1", ..., in the file's order.

    DequantizeLinear -> operator -> QuantizeLinear is joined to an int8 row (:func:`selvedge.ir.joined`); what no int8
    row means stays float. channels_last: inputs and outputs of four axes are NHWC, where the file has NCHW.

    Raises :class:`InvalidInput` and :class:`NotSupported`, which name the node and its operator.
    """
    tensors, inputs, quants = Tensors(dict(model.constants)), {}, input_quants(model)
    for n, (name, (dtype, shape)) in enumerate(model.inputs.items()):
        last = channels_last and len(shape) == 4
        spec = input_spec(dtype, tuple(shape[a] for a in TO_LAST) if last else shape, quants, name)
        tensors.lies[name, last] = inputs[f"x{n or ''}"] = input_leaf(f"x{n or ''}", spec)
    for operator in model.operators:
        _take(operator, tensors, model.opset)
    outputs = {f"output{n or ''}": _output(name, tensors, channels_last) for n, name in enumerate(model.outputs)}
    return joined(Graph(inputs, {}, outputs))


def _take(operator: Operator, tensors: Tensors, opset: int) -> None:
    rule = RULES.get(operator.op)
    if rule is None:
        raise NotSupported(operator.op, operator.where, f"the operators are {', '.join(sorted(RULES))}")
    if any(operator.outputs[1:]) and operator.op not in ("Dropout", "MaxPool"):
        raise NotSupported(f"{operator.op} of several results", operator.where, "export it with one")
    try:
        rule(Node(operator, tensors, opset))
    except ValueError as error:
        if isinstance(error, InvalidInput | NotSupported):
            raise
        raise InvalidInput(operator.where, operator.op, str(error)) from None
    if operator.op in MOVING and operator.inputs[0] in tensors.unsigned:
        tensors.unsigned.add(operator.outputs[0])


def _output(name: str, tensors: Tensors, channels_last: bool) -> Value:
    what = f"onnx output {printable(name)!r}"
    if name in tensors.unsigned:
        raise NotSupported("an output of uint8", what, "give it float32 or int8")
    if not tensors.holds(name):
        raise InvalidInput(what, "an index", "an output is float32 or int8")
    value = tensors.value(name, channels_last and len(tensors.shape(name)) == 4)
    if not _reads_input(value):
        raise InvalidInput(what, "a constant", "an output must depend on an input")
    return value


def _reads_input(value: Value) -> bool:
    return any(node.op == "input" for node in topological([value.node]))
