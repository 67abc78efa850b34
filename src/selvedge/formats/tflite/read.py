"""A ``.tflite`` file as a :class:`Model`: every size, index, enum and shape of it is checked."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from selvedge.errors import InvalidInput, NotSupported
from selvedge.ir.quant import Quant

from .flatbuffer import Reader, Table
from .model import Model, Operator, Tensor
from .operators import code, operator
from .schema import DTYPES, IDENTIFIER, VERSION, BufferField, ModelField, QuantizationField, SubgraphField, TensorField

# Elements of one tensor, and axes: more than any device here holds, fewer than an int32 counts.
MOST_ELEMENTS = 2**31 - 1
MOST_RANK = 8


def read(path: Path) -> Model:
    """The model of a file. Raises :class:`InvalidInput` and :class:`NotSupported`, one line each."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput("tflite file", path, f"it cannot be read ({error.strerror})") from None
    return parse(data)


def parse(data: bytes) -> Model:
    """The model of a file's bytes; constants are views of them. Raises as :func:`read`."""
    root = Reader(data).root(IDENTIFIER, "tflite file")
    version = root.number(ModelField.VERSION, "I", 0)
    if version != VERSION:
        raise NotSupported(f"tflite schema version {version}", "", f"convert the model to version {VERSION}")
    graphs = root.tables(ModelField.SUBGRAPHS, lambda i: f"tflite subgraph {i}")
    if len(graphs) != 1:
        raise NotSupported(f"a tflite file of {len(graphs)} subgraphs", "", "export one function without branches")
    codes = [code(t) for t in root.tables(ModelField.OPERATOR_CODES, lambda i: f"tflite operator code {i}")]
    buffers = root.tables(ModelField.BUFFERS, lambda i: f"tflite buffer {i}")
    graph = graphs[0]
    tensors = tuple(
        _tensor(t, i, buffers)
        for i, t in enumerate(graph.tables(SubgraphField.TENSORS, lambda i: f"tflite tensor {i}"))
    )
    operators = tuple(
        operator(t, i, codes, tensors)
        for i, t in enumerate(graph.tables(SubgraphField.OPERATORS, lambda i: f"tflite operator {i}"))
    )
    inputs, outputs = _ends(graph, SubgraphField.INPUTS, tensors), _ends(graph, SubgraphField.OUTPUTS, tensors)
    _in_order(tensors, operators, inputs, outputs)
    return Model(tensors, operators, inputs, outputs)


def _tensor(table: Table, index: int, buffers: list[Table]) -> Tensor:
    name = table.text(TensorField.NAME)
    what = f"tflite tensor {index} {name[:80]!r}"
    kind = int(table.number(TensorField.TYPE, "b", 0))
    dtype = DTYPES.get(kind)
    if dtype is None:
        raise NotSupported(f"tflite type {kind}", what, f"use {', '.join(sorted(set(DTYPES.values())))}")
    if table.number(TensorField.IS_VARIABLE, "?", 0):
        raise NotSupported("a variable tensor", what, "export inference without state")
    if table.place(TensorField.SPARSITY) is not None:
        raise NotSupported("a sparse tensor", what, "export dense weights")
    if table.number(TensorField.EXTERNAL_BUFFER, "I", 0):
        raise NotSupported("an external buffer", what, "export the weights into the file")
    shape = tuple(int(n) for n in table.array(TensorField.SHAPE, "int32"))
    if len(shape) > MOST_RANK or any(n < 1 for n in shape) or math.prod(shape) > MOST_ELEMENTS:
        raise InvalidInput(f"{what} shape", list(shape), f"up to {MOST_RANK} extents >= 1, {MOST_ELEMENTS} elements")
    quant = _quant(table, what, shape, dtype)
    return Tensor(name, shape, dtype, quant, _data(table, what, shape, dtype, buffers))


def _data(table: Table, what: str, shape: tuple[int, ...], dtype: str, buffers: list[Table]) -> np.ndarray | None:
    number = int(table.number(TensorField.BUFFER, "I", 0))
    if number >= len(buffers):
        raise InvalidInput(f"{what} buffer", number, f"the file has {len(buffers)} buffers")
    buffer = buffers[number]
    if buffer.number(BufferField.OFFSET, "Q", 0) > 1 or buffer.number(BufferField.SIZE, "Q", 0) > 1:
        raise NotSupported("a buffer behind the file's tables", what, "export a model below 2 GB")
    raw = buffer.array(BufferField.DATA, "uint8")
    if not raw.size:
        return None
    kind = np.dtype(dtype).newbyteorder("<")
    size = math.prod(shape) * kind.itemsize
    if raw.size != size:
        raise InvalidInput(f"{what} data", f"{raw.size} B", f"{dtype} {list(shape)} is {size} B")
    if dtype == "bool" and raw.max() > 1:
        raise InvalidInput(f"{what} data", int(raw.max()), "a bool is 0 or 1")
    return np.frombuffer(raw.tobytes(), kind).astype(dtype, copy=False).reshape(shape)


def _quant(table: Table, what: str, shape: tuple[int, ...], dtype: str) -> Quant | None:
    """None where no scale is given, and for what is no integer: converters leave a range there."""
    fields = table.table(TensorField.QUANTIZATION, f"{what} quantisation")
    if fields is None or not np.issubdtype(np.dtype(dtype), np.integer):
        return None
    if fields.number(QuantizationField.DETAILS_TYPE, "B", 0):
        raise NotSupported("a quantisation of another kind", what, "use affine quantisation, by tensor or by channel")
    scales = fields.array(QuantizationField.SCALE, "float32")
    zeros = fields.array(QuantizationField.ZERO_POINT, "int64")
    if not scales.size:
        return None
    axis = int(fields.number(QuantizationField.QUANTIZED_DIMENSION, "i", 0)) if scales.size > 1 else None
    if axis is not None and not (0 <= axis < len(shape) and shape[axis] == scales.size):
        raise InvalidInput(f"{what} scales", f"{scales.size} along axis {axis}", f"its shape is {list(shape)}")
    limits = np.iinfo(dtype)
    if zeros.size and not (limits.min <= zeros.min() and zeros.max() <= limits.max):
        raise InvalidInput(f"{what} zero point", int(zeros[np.argmax(abs(zeros))]), f"it must be an {dtype}")
    try:
        return Quant(tuple(scales.tolist()), tuple(zeros.tolist()) or (0,), axis)
    except ValueError as error:
        raise InvalidInput(f"{what} quantisation", scales.tolist()[:3], str(error)) from None


def _ends(graph: Table, number: SubgraphField, tensors: tuple[Tensor, ...]) -> tuple[int, ...]:
    found = tuple(int(i) for i in graph.array(number, "int32"))
    what = f"tflite {number.name.lower()}"
    if not found or len(set(found)) < len(found) or not all(0 <= i < len(tensors) for i in found):
        raise InvalidInput(what, list(found)[:8], f"at least one, each once, of {len(tensors)} tensors")
    return found


def _in_order(
    tensors: tuple[Tensor, ...], operators: tuple[Operator, ...], inputs: tuple[int, ...], outputs: tuple[int, ...]
) -> None:
    """Refuses an operator that reads what is not there yet, and a tensor that two make."""
    known = {i for i, t in enumerate(tensors) if t.data is not None}
    for i in inputs:
        if i in known:
            raise InvalidInput("tflite inputs", tensors[i].name[:80], "an input must not be a constant")
    known.update(inputs)
    for number, node in enumerate(operators):
        what = f"tflite operator {number} {node.name}"
        missing = next((i for i in node.inputs if i is not None and i not in known), None)
        if missing is not None:
            raise InvalidInput(f"{what} input", tensors[missing].name[:80], "no operator before it makes that tensor")
        for i in node.outputs:
            if i in known:
                raise InvalidInput(f"{what} output", tensors[i].name[:80], "that tensor has a value already")
            known.add(i)
    for i in outputs:
        if i not in known:
            raise InvalidInput("tflite outputs", tensors[i].name[:80], "no operator makes that tensor")
