"""A graph as an ONNX model: int8 rows as QDQ, float rows as the operator of the same meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from selvedge.artifact.layout import Layout
from selvedge.artifact.targets import NEW
from selvedge.errors import InvalidInput, NotSupported
from selvedge.ir import LEAVES, Graph, Node, Spec, Value

from ..lifted import lifted
from .names import shorten
from .sheet import Sheet
from .write_elementwise import ELEMENTWISE
from .write_float import FLOAT
from .write_gradients import GRADIENTS
from .write_integer import INTEGER
from .write_moves import MOVES
from .write_rows import ROWS

OPSET, IR_VERSION = 17, 8
RULES: Mapping[str, Callable[[Sheet, Node], Any]] = MappingProxyType(
    {**INTEGER, **MOVES, **ELEMENTWISE, **FLOAT, **GRADIENTS, **ROWS}
)
"""Row -> how it is written."""

_HASHED = "its noise is a hash of 32-bit products, which ONNX Runtime multiplies for no unsigned type"
_STATE = f"keep the optimiser's state in float32: {_HASHED}"
_PLANNED = "the planner puts it in to save RAM: it is in no program that is written"
LACKS: Mapping[str, str] = MappingProxyType({
    "ctc": "train with another loss: the standard has no operator of it, and its sum over paths is a loop",
    "dequantize": _STATE, "dequantize_square": _STATE, "quantize": _STATE, "quantize_square": _STATE,
    "from_bfloat16": _STATE, "to_bfloat16": _STATE,
    "dropout": f"plan without dropout: {_HASHED}",
    "erfc": "write 1 - erf(x) where its tail does not count: the standard has erf alone",
    "gru": "unroll it over time, or emit it for c", "gru_grad": "unroll it over time, or emit it for c",
    "lstm": "unroll it over time, or emit it for c", "lstm_grad": "unroll it over time, or emit it for c",
    "rnn": "unroll it over time, or emit it for c", "rnn_grad": "unroll it over time, or emit it for c",
    "masked_grad": _PLANNED, "pack_mask": _PLANNED, "quantize_channels": _PLANNED, "sparse_matmul": _PLANNED,
})  # fmt: skip
"""Row -> what to do instead: those that no operator of the standard means."""

FORMS = ("qdq", "operators")
"""How int8 rows are written. Of the standard's int8 operators only QLinearConv has a bias: the rest is QDQ in both."""

PARAMETERS = ("SCALE_TENSOR", "ZERO_POINT_TENSOR")
"""Keys of a quantisation annotation (onnx.proto, TensorAnnotation)."""

# protobuf's own limit of one message, less room for what is not weights.
MOST_BYTES = 2**31 - 2**24


def written(
    graph: Graph, name: str, layouts: Mapping[str, Layout] = MappingProxyType({}), form: str = FORMS[0]
) -> onnx.ModelProto:
    """``graph`` as an ONNX model of opset 17. ``layouts``: how inputs and outputs are stored that the model takes and
    gives in another order of axes. ``form``: one of :data:`FORMS`; an int8 convolution as "operators" is one
    QLinearConv, with fewer bytes around it.

    Raises :class:`NotSupported` for a row that ONNX has no operator for, or state, and :class:`InvalidInput` for
    weights of 2 GB.
    """
    for state in graph.state:
        raise NotSupported(f"state {state!r}", "the graph", "freeze it to a constant: what is written only predicts")
    if form not in FORMS:
        raise InvalidInput("form", form, f"give one of {', '.join(FORMS)}")
    return _model(graph, name, layouts, Sheet(operators=form == "operators"), {})


def program(
    graph: Graph, name: str, layouts: Mapping[str, Layout], held: Mapping[str, np.ndarray] = MappingProxyType({})
) -> onnx.ModelProto:
    """``graph``, state and all: each state array that it reads is an input of its name, as PyTorch has it, and the new
    value of one that it replaces an output of that name and :data:`~selvedge.artifact.targets.NEW`. What a program does
    not replace it gives only where it was asked to: nothing is updated inside.

    held: what state arrays begin with, as PyTorch has them: an input of these need not be given.

    Raises as :func:`written` does.
    """
    ports = {**graph.inputs, **graph.state, **graph.results}
    clash = [n for n in graph.updates if n + NEW in ports]
    clash += [n for n in graph.state if n in graph.inputs or n in graph.results]
    if clash:
        raise InvalidInput("state", clash[0], "an input or output has that name too: rename it in the model")
    state = {n: _layout(leaf) for n, leaf in graph.state.items()}
    outputs = {n + NEW if n in graph.state else n: v for n, v in graph.outputs.items()}
    faces = {**layouts, **state, **{n + NEW: state[n] for n in graph.updates}}
    return _model(Graph({**graph.inputs, **graph.state}, {}, outputs), name, faces, Sheet(program=True), held)


def _layout(leaf: Value) -> Layout:
    found: Layout | None = leaf.node.attrs.get("layout")
    return found or Layout.of(leaf.shape)


def _model(
    graph: Graph, name: str, layouts: Mapping[str, Layout], sheet: Sheet, held: Mapping[str, np.ndarray]
) -> onnx.ModelProto:
    """sheet: an empty one."""
    _named_apart(graph)
    faces = {**graph.inputs, **graph.outputs}
    graph = lifted(graph)
    nodes = graph.nodes()
    read = {*graph.outputs.values(), *(v for node in nodes for v in node.inputs)}
    sheet.taken, sheet.read = frozenset(faces), frozenset(read)
    given = {port: layouts.get(port) or Layout.of(value.shape) for port, value in faces.items()}
    inputs = {port: value for port, value in graph.inputs.items() if value in read or port not in held}
    for port, value in inputs.items():
        _stored(sheet, port, value, given[port])
    for node in nodes:
        if node.op in LEAVES:
            continue
        rule = RULES.get(node.op)
        if rule is None:
            raise NotSupported(f"{node.op} in ONNX", node.where, LACKS[node.op])
        rule(sheet, node)
    _named(sheet, {port: _faced(sheet, value, given[port]) for port, value in graph.outputs.items()})
    begun = [numpy_helper.from_array(np.ascontiguousarray(held[port]), port) for port in inputs if port in held]
    size = sum(len(c.raw_data) for c in (*sheet.constants.values(), *begun))
    if size > MOST_BYTES:
        raise InvalidInput("weights", f"{size:,} B", "an ONNX file holds less than 2 GB")
    made = helper.make_graph(
        sheet.nodes,
        name,
        [_port(port, value.spec, given[port]) for port, value in inputs.items()],
        [_port(port, value.spec, given[port]) for port, value in graph.outputs.items()],
        [*sheet.constants.values(), *begun],
    )
    _annotated(sheet, made, graph)
    shorten(made)
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(made, opset_imports=[opset], ir_version=IR_VERSION, producer_name="selvedge")


def _named_apart(graph: Graph) -> None:
    """Refuses names of inputs and outputs that no tensor of a file can have."""
    for side, ports in (("input", graph.inputs), ("output", graph.outputs)):
        for port in ports:
            if not port or not port.isprintable():
                raise InvalidInput(f"name of an {side}", repr(port), "ONNX names it: give printable text of one line")
            if side == "output" and port in graph.inputs:
                fix = "an input has it, and in ONNX each tensor has a name of its own: call one of them otherwise"
                raise InvalidInput("name of an output", repr(port), fix)


def _port(name: str, spec: Spec, layout: Layout) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype)), layout.face)


def _annotated(sheet: Sheet, made: onnx.GraphProto, graph: Graph) -> None:
    """What the integers of int8 inputs stand for: where operators only move them, no other place says it."""
    for port, value in graph.inputs.items():
        if value.spec.quant is None:
            continue
        before = len(sheet.constants)
        names = sheet.parameters(value.spec.quant, value.dtype)
        made.initializer.extend(list(sheet.constants.values())[before:])
        note = made.quantization_annotation.add(tensor_name=port)
        for key, name in zip(PARAMETERS, names, strict=True):
            note.quant_parameter_tensor_names.add(key=key, value=name)


def _stored(sheet: Sheet, port: str, value: Value, layout: Layout) -> None:
    """Leaf ``value`` as it is stored, from tensor ``port``, which is PyTorch's array."""
    identity, back = tuple(range(len(layout.perm))), inverse(layout.perm)
    if len(layout.shape) == len(layout.perm) and layout.shape == tuple(layout.face[a] for a in layout.perm):
        sheet.put(value, port, None if back == identity else back)
        return
    made = port if layout.is_identity else sheet.emit("Transpose", [port], "transpose", perm=layout.perm)
    sheet.put(value, sheet.shaped(made, layout.shape))


def _faced(sheet: Sheet, value: Value, layout: Layout) -> str:
    """The tensor of output ``value`` as PyTorch has it."""
    identity, back = tuple(range(len(layout.perm))), inverse(layout.perm)
    moved = tuple(layout.face[a] for a in layout.perm)
    if layout.shape == moved:
        return sheet.tensor(value, None if back == identity else back)
    made = sheet.tensor(value)
    if layout.is_identity:
        return sheet.shaped(made, layout.face)
    return sheet.emit("Transpose", [sheet.shaped(made, moved)], "transpose", perm=back)


def inverse(perm: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(perm.index(a) for a in range(len(perm)))


def _named(sheet: Sheet, results: Mapping[str, str]) -> None:
    """Tensors get the names of the outputs. One that is an input, a constant or another output too is copied."""
    made = {node.output[0] for node in sheet.nodes}
    names: dict[str, str] = {}
    for port, tensor in results.items():
        if tensor in made and tensor not in names:
            names[tensor] = port
        else:
            sheet.nodes.append(helper.make_node("Identity", [tensor], [port]))
    for node in sheet.nodes:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
