"""LiteRT: one ``.tflite`` file, a signature a program, state in resource variables."""

from __future__ import annotations

from ... import ir
from ...artifact.litert import signature_of
from ...emitting.foreign import Array, Held, Program, Written
from ...formats import tflite
from . import Given
from .unrolled import unrolled


def written(given: Given) -> Written:
    """What learns is variables, all else constants of the file. Images are NHWC."""
    given = unrolled(given)
    made = tflite.program({signature_of(name): graph for name, graph in given.programs.items()}, given.stored)
    file = f"{given.name}.tflite"
    return Written({file: tflite.written(made)}, programs(given, file), held(given))


def programs(given: Given, file: str) -> dict[str, Program]:
    """Their inputs and outputs as the graphs have them."""
    found = {}
    for name, graph in given.programs.items():
        inputs, outputs = (
            {n: _array(given, name, n, v) for n, v in values.items()} for values in (graph.inputs, graph.results)
        )
        found[name] = Program(file, inputs, outputs)
    return found


def _array(given: Given, program: str, name: str, value: ir.Value) -> Array:
    layout = given.layouts.get(program, {}).get(name)
    return Array(value.shape, value.dtype, layout)


def held(given: Given) -> dict[str, Held]:
    """What does not learn first: it is looked at before anything is replaced."""
    leaves, learnt = given.state, given.learnt
    return {
        name: Held(
            given.stored[name], leaves[name].node.attrs["kind"], name in learnt, leaves[name].node.attrs["layout"]
        )
        for name in sorted(leaves, key=lambda name: (name in learnt, list(leaves).index(name)))
    }
