"""What the targets share that are given ATen operators: modules of the programs, and how an artifact describes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...artifact.layout import Layout
from ...artifact.signature import FILE, Signature, written
from ...aten.module import Computed
from ...emitting.foreign import Array, Held, Program, Written
from ...run.foreign.decomposed import register
from . import Given


def modules(given: Given) -> Iterator[tuple[str, Computed]]:
    """Program -> its module. One that learns nothing and has no state of its own has its weights as constants."""
    for name, graph in given.programs.items():
        if any(spec.quant is not None for node in graph.nodes() for spec in node.specs):
            register()
        layouts = {n: given.layout(name, n) for n in (*graph.inputs, *graph.results)}
        yield name, Computed(graph, layouts)


def artifact(given: Given, suffix: str, made: Callable[[str, Computed], bytes]) -> Written:
    """A file a program, whose arrays are PyTorch's; state goes in and comes out."""
    files, programs, signatures = {}, {}, {}
    for name, module in modules(given):
        file = f"{given.name}_{name}{suffix}"
        files[file] = made(name, module)
        signatures[name] = Signature(module.takes, module.gives)
        graph = given.programs[name]
        ports = [
            {n: Array(given.layout(name, n).face, v.dtype) for n, v in values.items()}
            for values in (graph.inputs, graph.results)
        ]
        programs[name] = Program(file, *ports)
    files[FILE] = written(signatures)
    return Written(files, programs, held(given))


def held(given: Given) -> dict[str, Held]:
    """Every state array as PyTorch has it."""
    found = {}
    for name, leaf in given.state.items():
        layout = leaf.node.attrs["layout"] or Layout.of(leaf.shape)
        found[name] = Held(layout.restore(given.stored[name]), leaf.node.attrs["kind"], name in given.learnt)
    return found
