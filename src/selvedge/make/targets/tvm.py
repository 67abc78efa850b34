"""Apache TVM: all programs in one library of this machine's instructions."""

from __future__ import annotations

from ...artifact.signature import FILE, Signature
from ...artifact.signature import written as signed
from ...emitting.foreign import Array, Held, Program, Written
from ...formats.relax.compiled import library
from . import Given


def written(given: Given) -> Written:
    """Through LLVM. Arrays lie as the graph has them; state goes in and comes out."""
    return compiled(given, "llvm")


def compiled(given: Given, target: str) -> Written:
    """The library; with the C that it was made of where ``target`` is "c"."""
    made, source = library(given.programs, target)
    file = f"{given.name}.so"
    files = {file: made, FILE: signed(_signatures(given))}
    if source is not None:
        files[f"{given.name}.c"] = source.encode()
    programs = {}
    for name, graph in given.programs.items():
        ports = [
            {n: Array(v.shape, v.dtype, given.layout(name, n)) for n, v in values.items()}
            for values in (graph.inputs, graph.results)
        ]
        programs[name] = Program(file, *ports)
    state = {
        name: Held(given.stored[name], leaf.node.attrs["kind"], name in given.learnt, leaf.node.attrs["layout"])
        for name, leaf in given.state.items()
    }
    return Written(files, programs, state)


def _signatures(given: Given) -> dict[str, Signature]:
    return {
        name: Signature((*graph.inputs, *graph.state), tuple(graph.outputs)) for name, graph in given.programs.items()
    }
