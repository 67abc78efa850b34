"""A :class:`Model` as the bytes of a ``.tflite`` file: the inverse of :func:`.read.parse`, without LiteRT.

A small network is mostly what is around its numbers: what equals something lies in the file once, and only what is
given and returned has a name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from .builder import Array, Field, Number, Table, built
from .model import Model, Operator, Program, Signature, Tensor
from .schema import (
    DTYPES,
    IDENTIFIER,
    OPERATORS,
    RESOURCE,
    VERSION,
    BufferField,
    CodeField,
    Kind,
    ModelField,
    NamedField,
    OperatorField,
    Option,
    QuantizationField,
    SignatureField,
    SubgraphField,
    TensorField,
)  # fmt: skip
from .written_kinds import WRITTEN

KINDS = {**{kind.name: kind for kind in OPERATORS.values()}, **WRITTEN}
TYPES = {**{name: number for number, name in DTYPES.items()}, "resource": RESOURCE}
ALIGNMENT = 16  # of a constant's bytes: the schema's force_align
FORMER = 127  # the largest builtin number that the byte before it could hold


def written(given: Model | Program, description: str = "selvedge") -> bytes:
    """The file of ``given``."""
    program = given if isinstance(given, Program) else Program((given,), ())
    # The commonest first: number 0 is the default, and takes no bytes.
    every = [o for m in program.models for o in m.operators]
    codes = [code for code, _ in Counter((o.name, o.version) for o in every).most_common()]
    held = dict.fromkeys(raw for m in program.models for t in m.tensors if (raw := _raw(t)) is not None)
    buffers = {raw: i for i, raw in enumerate(held, start=1)}  # 0 is the empty one
    numbers = {code: i for i, code in enumerate(codes)}
    fields: dict[int, Field] = {
        ModelField.VERSION: Number("I", VERSION),
        ModelField.OPERATOR_CODES: [_code(name, version) for name, version in codes],
        ModelField.SUBGRAPHS: [_subgraph(m, buffers, numbers) for m in program.models],
        ModelField.DESCRIPTION: description,
        ModelField.BUFFERS: [Table({}), *map(_buffer, held)],
    }
    if program.signatures:
        fields[ModelField.SIGNATURE_DEFS] = [_signature(s, program.models[s.model]) for s in program.signatures]
    return built(Table(fields), IDENTIFIER)


def _subgraph(model: Model, buffers: Mapping[bytes, int], codes: Mapping[tuple[str, int], int]) -> Table:
    named, tensors = {*model.inputs, *model.outputs}, []
    for i, tensor in enumerate(model.tensors):
        raw = _raw(tensor)
        tensors.append(_tensor(tensor, 0 if raw is None else buffers[raw], named=i in named))
    return Table(
        {
            SubgraphField.TENSORS: tensors,
            SubgraphField.INPUTS: _ints(model.inputs),
            SubgraphField.OUTPUTS: _ints(model.outputs),
            SubgraphField.OPERATORS: [_operator(o, codes[o.name, o.version]) for o in model.operators],
        }
    )


def _signature(signature: Signature, model: Model) -> Table:
    fields: dict[int, Field] = {
        SignatureField.INPUTS: _named(signature.inputs, model.inputs),
        SignatureField.OUTPUTS: _named(signature.outputs, model.outputs),
        SignatureField.KEY: signature.name,
    }
    if signature.model:
        fields[SignatureField.SUBGRAPH] = Number("I", signature.model)
    return Table(fields)


def _named(names: tuple[str, ...], places: tuple[int, ...]) -> list[Table]:
    return [
        Table({NamedField.NAME: name, NamedField.TENSOR: Number("I", place)})
        for name, place in zip(names, places, strict=True)
    ]


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


def _raw(tensor: Tensor) -> bytes | None:
    data = tensor.data
    return None if data is None else data.astype(data.dtype.newbyteorder("<"), copy=False).tobytes()


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
        options = _options(kind, operator.options)
        shared = not any(isinstance(option, str) for option in options.values())
        fields[OperatorField.OPTIONS_TYPE] = Number("B", kind.options_type)
        fields[OperatorField.OPTIONS] = Table(options, shared=shared)
    return Table(fields)


def _options(kind: Kind, given: Mapping[str, object]) -> dict[int, Field]:
    said: dict[int, Field] = {}
    for option in kind.options:
        value = given[option.name]
        if option.code == "text":
            said[option.number] = str(value)
        elif (number := _option(option, value)).value != option.default:
            said[option.number] = number
    return said


def _option(option: Option, value: object) -> Number:
    if isinstance(option.code, tuple):
        return Number("b", option.code.index(str(value)))
    if option.code == "bool":
        return Number("?", bool(value))
    assert isinstance(value, int | float), "the schema's table says it is a number"
    return Number(option.code, float(value) if option.code == "f" else int(value))
