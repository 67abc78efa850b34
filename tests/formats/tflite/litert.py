"""LiteRT's reference kernels as an oracle, and small models written with its own generated schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from selvedge.formats.tflite.schema import DTYPES

NUMBERS = {name: number for number, name in DTYPES.items()}


@cache
def schema() -> ModuleType:
    """The generated schema; the test is skipped where ai-edge-litert is not installed."""
    return pytest.importorskip("ai_edge_litert.schema_py_generated")


class Reference:
    """An interpreter of the reference kernels, or of others; ``run`` gives every tensor by its index."""

    def __init__(self, model: bytes, kernels: str = "BUILTIN_REF") -> None:
        module = pytest.importorskip("ai_edge_litert.interpreter")
        self.interpreter = module.Interpreter(
            model_content=model,
            experimental_op_resolver_type=module.OpResolverType[kernels],
            experimental_preserve_all_tensors=kernels == "BUILTIN_REF",
            num_threads=1,
        )
        self.interpreter.allocate_tensors()

    def run(self, arrays: Sequence[np.ndarray], wanted: Sequence[int]) -> dict[int, np.ndarray]:
        for detail, array in zip(self.interpreter.get_input_details(), arrays, strict=True):
            self.interpreter.set_tensor(detail["index"], array)
        self.interpreter.invoke()
        return {i: self.interpreter.get_tensor(i) for i in wanted}


@dataclass
class T:
    """One tensor of a model to write. ``scale`` and ``zero``: numbers, or lists along ``axis``."""

    shape: Sequence[int]
    dtype: str = "int8"
    scale: float | Sequence[float] | None = None
    zero: int | Sequence[int] = 0
    axis: int = 0
    data: np.ndarray | None = None


def written(
    operator: str, inputs: Sequence[T], output: T, options: Mapping[str, Any] | None = None, kind: str = ""
) -> bytes:
    """The file of one operator. The inputs without data are the model's; ``kind``: the options table's name."""
    import flatbuffers

    s = schema()
    model = s.ModelT()
    model.version, model.description = 3, "one operator"
    code = s.OperatorCodeT()
    code.builtinCode = getattr(s.BuiltinOperator, operator)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = 1
    model.operatorCodes = [code]
    empty = s.BufferT()
    model.buffers = [empty]
    graph = s.SubGraphT()
    graph.tensors = []
    for i, t in enumerate([*inputs, output]):
        tensor = s.TensorT()
        tensor.shape, tensor.type, tensor.name = list(t.shape), NUMBERS[t.dtype], f"t{i}"
        tensor.buffer = 0
        if t.data is not None:
            buffer = s.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(t.data).tobytes(), np.uint8)
            model.buffers.append(buffer)
            tensor.buffer = len(model.buffers) - 1
        if t.scale is not None:
            quant = s.QuantizationParametersT()
            quant.scale = np.atleast_1d(np.asarray(t.scale, np.float32)).tolist()
            quant.zeroPoint = [int(z) for z in np.atleast_1d(t.zero)]
            quant.zeroPoint *= len(quant.scale) if len(quant.zeroPoint) == 1 else 1
            quant.quantizedDimension = t.axis
            tensor.quantization = quant
        graph.tensors.append(tensor)
    node = s.OperatorT()
    node.opcodeIndex, node.inputs, node.outputs = 0, list(range(len(inputs))), [len(inputs)]
    if kind:
        table = getattr(s, kind + "T")()
        for name, value in (options or {}).items():
            assert hasattr(table, name), name
            setattr(table, name, value)
        node.builtinOptionsType, node.builtinOptions = getattr(s.BuiltinOptions, kind), table
    graph.operators = [node]
    graph.inputs = [i for i, t in enumerate(inputs) if t.data is None]
    graph.outputs = [len(inputs)]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
