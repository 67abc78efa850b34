"""A ``.tflite`` file operator by operator: the kernels by which LiteRT runs it beside its reference kernels.

Each operator is put into a file of its own, which those run, fed what the others computed for it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import InvalidInput, one_line
from .said import CLOSE, Difference, Verified, apart, verified

# They have no result, or one that no other file can be given.
STATEFUL = ("ASSIGN_VARIABLE", "CALL_ONCE", "READ_VARIABLE", "VAR_HANDLE")


@dataclass(frozen=True, slots=True)
class _Operator:
    """``data``: a file of it alone, whose inputs and outputs are tensors ``given`` and ``made`` of the whole."""

    index: int
    name: str
    data: bytes
    given: tuple[int, ...]
    made: tuple[int, ...]


def operators(program: str, signature: str, data: bytes, arrays: Mapping[str, np.ndarray]) -> Verified:
    """Those of ``signature``, run with ``arrays``. data: of the file. Raises :class:`InvalidInput` where LiteRT refuses
    it."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    place = next(s.subgraphIndex for s in model.signatureDefs if _text(s.signatureKey) == signature)
    found, allowed, alone = list[Difference](), list[float](), 0
    try:
        held = _held(data, signature, place, arrays)
        for operator in _operators(schema, model, model.subgraphs[place]):
            try:
                wanted = _reference(operator.data, [held(i) for i in operator.given])
            except RuntimeError:  # no reference kernel: the others, which run it, are all that there is
                alone += 1
                continue
            for i, want in zip(operator.made, wanted, strict=True):
                found.append(Difference(operator.index, operator.name, apart(held(i), want)))
                allowed.append(CLOSE if want.dtype.kind == "f" else 1.0)
    except (RuntimeError, ValueError) as error:
        raise InvalidInput("artifact", program, f"LiteRT refuses it ({one_line(str(error))[:160]})") from None
    note = "by LiteRT's own kernels: XNNPACK shows no inner tensors"
    note += f"; {alone} have no reference kernel" if alone else ""
    return verified(program, found, allowed, "operator", note)


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _operators(schema: Any, model: Any, graph: Any) -> Iterator[_Operator]:
    import flatbuffers

    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    for index, operator in enumerate(graph.operators):
        code = model.operatorCodes[operator.opcodeIndex]
        name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        if name in STATEFUL:
            continue
        inputs, outputs = ([int(i) for i in ports] for ports in (operator.inputs, operator.outputs))
        whole, part, places = schema.ModelT(), schema.SubGraphT(), dict[int, int]()
        whole.version, whole.description, whole.operatorCodes = model.version, "one operator", [code]
        whole.buffers, whole.subgraphs, part.tensors = [schema.BufferT()], [part], []
        constant = set[int]()
        for i in (i for i in (*inputs, *outputs) if i >= 0 and i not in places):
            tensor = copy.copy(graph.tensors[i])
            held = model.buffers[tensor.buffer]
            tensor.buffer = 0
            if held.data is not None and len(held.data):
                constant.add(i)
                tensor.buffer = len(whole.buffers)
                whole.buffers.append(held)
            places[i] = len(part.tensors)
            part.tensors.append(tensor)
        made = copy.copy(operator)
        made.opcodeIndex, made.inputs = 0, [places.get(i, -1) for i in inputs]
        made.outputs, part.operators = [places[i] for i in outputs], [made]
        given = tuple(dict.fromkeys(i for i in inputs if i >= 0 and i not in constant))
        part.inputs, part.outputs = [places[i] for i in given], made.outputs
        builder = flatbuffers.Builder(1024)
        builder.Finish(whole.Pack(builder), b"TFL3")
        yield _Operator(index, name, bytes(builder.Output()), given, tuple(outputs))


def _interpreter(data: bytes, kernels: str) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    return Interpreter(
        model_content=data, experimental_op_resolver_type=OpResolverType[kernels],
        experimental_preserve_all_tensors=True, num_threads=1,
    )  # fmt: skip


def _held(data: bytes, signature: str, place: int, arrays: Mapping[str, np.ndarray]) -> Any:
    """Tensor -> what it holds after ``signature`` has run, which is subgraph ``place``."""
    interpreter = _interpreter(data, "BUILTIN_WITHOUT_DEFAULT_DELEGATES")
    interpreter.allocate_tensors()
    interpreter.get_signature_runner(signature)(**arrays)
    return lambda i: np.array(interpreter.get_tensor(i, place))


def _reference(data: bytes, arrays: list[np.ndarray]) -> list[np.ndarray]:
    interpreter = _interpreter(data, "BUILTIN_REF")
    interpreter.allocate_tensors()
    for detail, array in zip(interpreter.get_input_details(), arrays, strict=True):
        interpreter.set_tensor(detail["index"], array)
    interpreter.invoke()
    return [np.array(interpreter.get_tensor(detail["index"])) for detail in interpreter.get_output_details()]
