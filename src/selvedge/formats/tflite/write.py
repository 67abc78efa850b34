"""A :class:`Model` as the bytes of a ``.tflite`` file: the inverse of :func:`.read.parse`, without LiteRT.

A small network is mostly what is around its numbers: what equals something lies in the file once, and only what is
given and returned has a name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from .builder import Array, Field, Number, Table, built
from .model import Model, Operator, Tensor
from .schema import (
    DTYPES,
    IDENTIFIER,
    OPERATORS,
    VERSION,
    BufferField,
    CodeField,
    Kind,
    ModelField,
    OperatorField,
    Option,
    QuantizationField,
    SubgraphField,
    TensorField,
)  # fmt: skip

KINDS = {kind.name: kind for kind in OPERATORS.values()}
TYPES = {name: number for number, name in DTYPES.items()}
ALIGNMENT = 16  # of a constant's bytes: the schema's force_align
FORMER = 127  # the largest builtin number that the byte before it could hold


def written(model: Model, description: str = "selvedge") -> bytes:
    """The file of ``model``."""
    # The commonest first: number 0 is the default, and takes no bytes.
    codes = [code for code, _ in Counter((o.name, o.version) for o in model.operators).most_common()]
    named = {*model.inputs, *model.outputs}
    raw = [None if t.data is None else _raw(t.data) for t in model.tensors]
    held = list(dict.fromkeys(b for b in raw if b is not None))
    buffers: dict[bytes | None, int] = {b: i for i, b in enumerate(held, start=1)}  # 0 is the empty one
    subgraph = Table(
        {
            SubgraphField.TENSORS: [
                _tensor(t, buffers.get(raw[i], 0), named=i in named) for i, t in enumerate(model.tensors)
            ],
            SubgraphField.INPUTS: _ints(model.inputs),
            SubgraphField.OUTPUTS: _ints(model.outputs),
            SubgraphField.OPERATORS: [_operator(o, codes.index((o.name, o.version))) for o in model.operators],
        }
    )
    return built(
        Table(
            {
                ModelField.VERSION: Number("I", VERSION),
                ModelField.OPERATOR_CODES: [_code(name, version) for name, version in codes],
                ModelField.SUBGRAPHS: [subgraph],
                ModelField.DESCRIPTION: description,
                ModelField.BUFFERS: [Table({}), *map(_buffer, held)],
            }
        ),
        IDENTIFIER,
    )


def _ints(numbers: tuple[int, ...]) -> Array:
    return Array(np.array(numbers, np.int32), shared=True)


def _code(name: str, version: int) -> Table:
    number = KINDS[name].number
    return Table(
        {
            CodeField.DEPRECATED_BUILTIN_CODE: Number("b", min(number, FORMER)),
            CodeField.VERSION: Number("i", version),
            CodeField.BUILTIN_CODE: Number("i", number),
        }
    )


def _raw(data: np.ndarray) -> bytes:
    return data.astype(data.dtype.newbyteorder("<"), copy=False).tobytes()


def _buffer(raw: bytes) -> Table:
    return Table({BufferField.DATA: Array(np.frombuffer(raw, np.uint8), ALIGNMENT)})


def _tensor(tensor: Tensor, buffer: int, named: bool) -> Table:
    fields: dict[int, Field] = {
        TensorField.SHAPE: _ints(tensor.shape),
        TensorField.TYPE: Number("b", TYPES[tensor.dtype]),
    }
    if named:
        fields[TensorField.NAME] = tensor.name
    if buffer:
        fields[TensorField.BUFFER] = Number("I", buffer)
    if tensor.quant is not None:
        scale = np.array(tensor.quant.scale, np.float32)
        # LiteRT wants as many zero points as scales: of all channels 0, mostly.
        zeros = np.ascontiguousarray(np.broadcast_to(np.array(tensor.quant.zero_point, np.int64), scale.shape))
        said: dict[int, Field] = {
            QuantizationField.SCALE: Array(scale, shared=True),
            QuantizationField.ZERO_POINT: Array(zeros, 8, shared=True),
        }
        if tensor.quant.axis:
            said[QuantizationField.QUANTIZED_DIMENSION] = Number("i", tensor.quant.axis)
        fields[TensorField.QUANTIZATION] = Table(said, shared=True)
    return Table(fields)


def _operator(operator: Operator, code: int) -> Table:
    kind = KINDS[operator.name]
    fields: dict[int, Field] = {
        OperatorField.INPUTS: _ints(tuple(-1 if i is None else i for i in operator.inputs)),
        OperatorField.OUTPUTS: _ints(operator.outputs),
    }
    if code:
        fields[OperatorField.OPCODE_INDEX] = Number("I", code)
    if kind.options_type:
        fields[OperatorField.OPTIONS_TYPE] = Number("B", kind.options_type)
        fields[OperatorField.OPTIONS] = Table(_options(kind, operator.options), shared=True)
    return Table(fields)


def _options(kind: Kind, given: Mapping[str, object]) -> dict[int, Field]:
    said = {option.number: (_option(option, given[option.name]), option.default) for option in kind.options}
    return {number: option for number, (option, default) in said.items() if option.value != default}


def _option(option: Option, value: object) -> Number:
    if isinstance(option.code, tuple):
        return Number("b", option.code.index(str(value)))
    if option.code == "bool":
        return Number("?", bool(value))
    assert isinstance(value, int | float), "the schema's table says it is a number"
    return Number(option.code, float(value) if option.code == "f" else int(value))
