"""An ONNX file as checked values: protobuf parses it, nothing of it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from selvedge.errors import InvalidInput, NotSupported

from .tensors import array, checked_shape, dtype_of, printable, text

LEAST_OPSET, MOST_OPSET = 13, 28
MOST_NODES = 100_000

Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """``inputs``: tensors by name, "" for one that is left out. ``part_of``: the file's operator of which this is a
    part; messages name that one."""

    op: str
    name: str
    index: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Attribute]
    part_of: str = ""

    @property
    def said(self) -> str:
        """As the file names it."""
        return self.part_of or self.op

    @property
    def where(self) -> str:
        return f"onnx node {self.index} {self.said} {printable(self.name)!r}"


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """``operators`` lie in an order in which each comes after those whose results it reads. ``inputs``: name ->
    (dtype, shape), without the constants. ``notes``: tensor -> its quantisation annotation, key -> constant."""

    opset: int
    operators: tuple[Operator, ...]
    constants: Mapping[str, np.ndarray]
    inputs: Mapping[str, tuple[str, tuple[int, ...]]]
    outputs: tuple[str, ...]
    notes: Mapping[str, Mapping[str, str]]


def read(path: Path, fixed: Mapping[str, np.ndarray] = MappingProxyType({})) -> Model:
    """The model of a file. ``fixed``: as of :func:`parse`. Raises :class:`InvalidInput` and :class:`NotSupported`, one
    line each."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput("onnx file", path, f"it cannot be read ({error.strerror})") from None
    return parse(data, path.resolve().parent, fixed)


def parse(data: bytes, folder: Path | None = None, fixed: Mapping[str, np.ndarray] = MappingProxyType({})) -> Model:
    """The model of a file's bytes. ``folder``: where its external data may lie. ``fixed``: inputs that are constants
    from here on, as the axes or the shape that an operator is told."""
    try:
        proto = onnx.ModelProto.FromString(data)
    except DecodeError:
        raise InvalidInput("onnx file", f"{len(data)} B", "it is no ONNX model, or damaged") from None
    if not proto.HasField("graph"):
        raise InvalidInput("onnx file", f"{len(data)} B", "it holds no graph")
    opset = _opset(proto)
    graph = proto.graph
    if len(graph.sparse_initializer):
        raise NotSupported("onnx sparse_initializer", "the graph", "export dense weights")
    if len(graph.node) > MOST_NODES:
        raise InvalidInput("onnx nodes", len(graph.node), f"at most {MOST_NODES}")
    constants = {}
    for tensor in graph.initializer:
        if not tensor.name or text(tensor.name) in constants:
            raise InvalidInput("onnx initializer", printable(tensor.name), "each has a name of its own")
        constants[text(tensor.name)] = array(tensor, f"onnx initializer {printable(tensor.name)!r}", folder)
    for name, array_given in fixed.items():
        if name in constants or name not in {text(port.name) for port in graph.input}:
            raise InvalidInput("fixed", printable(name), "give the values of inputs of the file")
        constants[name] = array_given
    operators = []
    for i, node in enumerate(graph.node):
        made = _operator(node, i, folder)
        if made.op == "Constant":
            if made.outputs[0] in constants:
                raise InvalidInput(
                    f"{made.where} output", printable(made.outputs[0]), "that tensor has a value already"
                )
            constants[made.outputs[0]] = _value(made)
        else:
            operators.append(made)
    inputs = _inputs(graph, constants)
    outputs = tuple(text(port.name) for port in graph.output)
    notes = {
        text(note.tensor_name): {text(entry.key): text(entry.value) for entry in note.quant_parameter_tensor_names}
        for note in graph.quantization_annotation
    }
    _in_order(operators, constants, inputs, outputs)
    return Model(opset, tuple(operators), constants, inputs, outputs, notes)


def _opset(proto: onnx.ModelProto) -> int:
    if len(proto.functions):
        raise NotSupported("onnx functions", "the model", "inline them: onnx.inliner.inline_local_functions")
    versions = [entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")]
    if len(versions) != 1:
        raise InvalidInput("onnx opset_import", versions, "one version of the standard operators")
    if not LEAST_OPSET <= versions[0] <= MOST_OPSET:
        fix = f"convert it to one of {LEAST_OPSET} to {MOST_OPSET}: onnx.version_converter"
        raise NotSupported(f"onnx opset {versions[0]}", "the model", fix)
    return int(versions[0])


def _operator(node: onnx.NodeProto, index: int, folder: Path | None) -> Operator:
    op, where = printable(node.op_type), f"onnx node {index} {printable(node.op_type)} {printable(node.name)!r}"
    if node.domain not in ("", "ai.onnx"):
        raise NotSupported(f"{op} of {printable(node.domain)}", where, "export standard operators (QDQ)")
    if not any(node.output):
        raise InvalidInput(f"{where} outputs", "empty", "a node makes something")
    if any("\n" in text(name) for name in node.output):
        raise InvalidInput(f"{where} outputs", printable(node.output[0]), "names are of one line")
    attrs = {text(a.name): _attribute(a, where, folder) for a in node.attribute}
    return Operator(op, text(node.name), index, tuple(map(text, node.input)), tuple(map(text, node.output)), attrs)


def _attribute(given: onnx.AttributeProto, where: str, folder: Path | None) -> Attribute:
    kind, what = given.type, f"{where} attribute {printable(given.name)}"
    a = onnx.AttributeProto
    if kind == a.INT:
        return int(given.i)
    if kind == a.FLOAT:
        return float(given.f)
    if kind == a.STRING:
        return printable(given.s.decode("utf-8", "replace"))
    if kind == a.INTS:
        return tuple(given.ints)
    if kind == a.FLOATS:
        return tuple(given.floats)
    if kind == a.TENSOR:
        return array(given.t, what, folder)
    raise NotSupported(what, where, "graphs, strings and sparse tensors are not read")


def _value(node: Operator) -> np.ndarray:
    for name, dtype in (("value_float", "float32"), ("value_int", "int64"), ("value_floats", "float32"),
                        ("value_ints", "int64")):  # fmt: skip
        if name in node.attrs:
            return np.array(node.attrs[name], dtype)
    value = node.attrs.get("value")
    if not isinstance(value, np.ndarray):
        raise NotSupported("a Constant of another kind", node.where, "give it a tensor or numbers")
    return value


def _inputs(graph: onnx.GraphProto, constants: Mapping[str, np.ndarray]) -> dict[str, tuple[str, tuple[int, ...]]]:
    found = {}
    for port in graph.input:
        if text(port.name) in constants:
            continue
        what = f"onnx input {printable(port.name)!r}"
        if not port.type.HasField("tensor_type") or not port.type.tensor_type.HasField("shape"):
            raise NotSupported("an input that is no tensor of a shape", what, "export it with a shape")
        shape = []
        for axis, dim in enumerate(port.type.tensor_type.shape.dim):
            # How many samples there are is often left open; one is what a device gets.
            if not dim.HasField("dim_value") and axis:
                raise NotSupported(f"an axis {axis} without an extent", what, "export it with fixed shapes")
            shape.append(dim.dim_value if dim.HasField("dim_value") else 1)
        found[text(port.name)] = dtype_of(port.type.tensor_type.elem_type, what), checked_shape(tuple(shape), what)
    return found


def _in_order(
    operators: list[Operator],
    constants: Mapping[str, np.ndarray],
    inputs: Mapping[str, object],
    outputs: tuple[str, ...],
) -> None:
    """Refuses a node that reads what is not there yet, and a tensor that two make."""
    known = {*constants, *inputs}
    for node in operators:
        missing = next((name for name in node.inputs if name and name not in known), None)
        if missing is not None:
            raise InvalidInput(f"{node.where} input", printable(missing), "no node before it makes that tensor")
        for name in filter(None, node.outputs):
            if name in known:
                raise InvalidInput(f"{node.where} output", printable(name), "that tensor has a value already")
            known.add(name)
    if not inputs or not outputs or len(set(outputs)) < len(outputs):
        raise InvalidInput("onnx graph", f"{len(inputs)} inputs, {len(outputs)} outputs", "at least one, each once")
    for name in outputs:
        if name not in known or name in constants:
            raise InvalidInput("onnx output", printable(name), "every output must be made by a node")
