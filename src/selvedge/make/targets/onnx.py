"""ONNX: a model of standard operators a program, state in and state out."""

from __future__ import annotations

from ...artifact.layout import Layout
from ...emitting.foreign import Array, Held, Program, Written
from ...formats import onnx
from . import Given
from .unrolled import unrolled


def written(given: Given) -> Written:
    """Each program as an ONNX model whose inputs, outputs and state are PyTorch's arrays. The prediction holds what the
    state begins with, so that it runs by itself."""
    given = unrolled(given)
    layouts = {n: leaf.node.attrs.get("layout") or Layout.of(leaf.shape) for n, leaf in given.state.items()}
    state = {
        n: Held(layouts[n].restore(given.stored[n]), leaf.node.attrs["kind"], n in given.learnt)
        for n, leaf in given.state.items()
    }
    files, programs = {}, {}
    for name, graph in given.programs.items():
        held = {n: state[n].initial for n in graph.state} if name == "predict" else {}
        made = onnx.program(graph, f"{given.name}_{name}", given.layouts.get(name, {}), held)
        file = f"{given.name}_{name}.onnx"
        files[file] = made.SerializeToString(deterministic=True)
        ports = [
            {n: Array(given.layout(name, n).face, v.dtype) for n, v in values.items()}
            for values in (graph.inputs, graph.results)
        ]
        programs[name] = Program(file, *ports)
    return Written(files, programs, state)
