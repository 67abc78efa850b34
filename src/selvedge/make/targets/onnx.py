"""ONNX: a model of standard operators a program."""

from __future__ import annotations

from ...emitting.foreign import Array, Program, Written
from ...formats import onnx
from . import Given


def written(given: Given) -> Written:
    """Each program as an ONNX model whose inputs and outputs are PyTorch's arrays."""
    files, programs = {}, {}
    for name, graph in given.programs.items():
        layouts = given.layouts.get(name, {})
        made = onnx.written(graph, f"{given.name}_{name}", layouts)
        file = f"{given.name}_{name}.onnx"
        files[file] = made.SerializeToString(deterministic=True)
        ports = [
            {n: Array(given.layout(name, n).face, v.dtype) for n, v in values.items()}
            for values in (graph.inputs, graph.results)
        ]
        programs[name] = Program(file, *ports)
    return Written(files, programs)
