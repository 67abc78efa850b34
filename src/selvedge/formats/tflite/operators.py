"""The operators of a ``.tflite`` file, with their options by name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import MappingProxyType

from selvedge.errors import InvalidInput, NotSupported

from .flatbuffer import Table
from .model import Operator, Tensor
from .model import Option as Value
from .schema import OPERATORS, CodeField, Kind, OperatorField, Option

Code = tuple[int, str, int]
"""Builtin number, custom name, version."""


def code(table: Table) -> Code:
    """An operator code. The builtin number moved from a byte to an int: the larger holds."""
    old = int(table.number(CodeField.DEPRECATED_BUILTIN_CODE, "b", 0))
    new = int(table.number(CodeField.BUILTIN_CODE, "i", 0))
    return max(old, new), table.text(CodeField.CUSTOM_CODE), int(table.number(CodeField.VERSION, "i", 1))


def operator(table: Table, index: int, codes: Sequence[Code], tensors: Sequence[Tensor]) -> Operator:
    """Operator ``index``. Raises :class:`NotSupported` with the name of the operator and of what it makes."""
    number = int(table.number(OperatorField.OPCODE_INDEX, "I", 0))
    if number >= len(codes):
        raise InvalidInput(f"tflite operator {index} code", number, f"the file has {len(codes)} operator codes")
    builtin, custom, version = codes[number]
    inputs = table.array(OperatorField.INPUTS, "int32").tolist()
    outputs = table.array(OperatorField.OUTPUTS, "int32").tolist()
    for field, places, least in (("input", inputs, -1), ("output", outputs, 0)):
        for i in places:
            if not least <= i < len(tensors):
                raise InvalidInput(f"tflite operator {index} {field}", i, f"the file has {len(tensors)} tensors")
    makes = ", ".join(repr(tensors[i].name[:80]) for i in outputs[:2]) or "nothing"
    where = f"tflite operator {index}, which makes {makes}"
    kind = OPERATORS.get(builtin)
    if kind is None:
        name = f"custom operator {custom[:80]!r}" if custom else f"builtin operator {builtin}"
        raise NotSupported(name, where, f"the operators are {', '.join(k.name for k in OPERATORS.values())}")
    least, most = kind.inputs
    if not least <= len(inputs) <= most or len(outputs) != 1 or -1 in inputs[:least]:
        told = f"{len(inputs)} inputs, {len(outputs)} outputs"
        raise InvalidInput(
            f"{where}: {kind.name}", told, f"{least} to {most} inputs, {least} of them given, and 1 output"
        )
    read = tuple(None if i == -1 else i for i in inputs)
    return Operator(kind.name, version, read, tuple(outputs), MappingProxyType(_options(table, kind, where)))


def _options(table: Table, kind: Kind, where: str) -> dict[str, Value]:
    found = int(table.number(OperatorField.OPTIONS_TYPE, "B", 0))
    if kind.options and found not in (0, kind.options_type):
        raise InvalidInput(f"{where}: options of {kind.name}", found, f"they must be of type {kind.options_type}")
    fields = table.table(OperatorField.OPTIONS, where) if kind.options and found else None
    return {option.name: _option(fields, option, f"{where}: {kind.name} {option.name}") for option in kind.options}


def _option(fields: Table | None, option: Option, what: str) -> Value:
    struct_code = {"bool": "?"}.get(option.code, option.code) if isinstance(option.code, str) else "b"
    value = option.default if fields is None else fields.number(option.number, struct_code, option.default)
    if isinstance(option.code, tuple):
        if not 0 <= value < len(option.code):
            raise InvalidInput(what, value, f"it must be below {len(option.code)}")
        return option.code[int(value)]
    if option.code == "bool":
        return bool(value)
    if not math.isfinite(value) or (option.least is not None and value < option.least):
        raise InvalidInput(what, value, f"it must be finite and >= {option.least}")
    return value
