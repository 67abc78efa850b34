"""Names of the tensors of a graph: the shortest for those that are named most often, but for inputs and outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import count, product
from string import ascii_letters, digits

import onnx

# ONNX wants C identifiers (docs/IR.md, "Names").
FIRST, LATER = ascii_letters, ascii_letters + digits + "_"


def shorten(graph: onnx.GraphProto) -> None:
    """Renames the tensors of ``graph`` where they stand."""
    kept = {port.name for port in (*graph.input, *graph.output)}
    said = Counter(name for node in graph.node for name in (*node.input, *node.output) if name)
    said.update(tensor.name for tensor in graph.initializer)
    free = (name for name in _identifiers() if name not in kept)
    names = {name: name if name in kept else next(free) for name, _ in said.most_common()}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    for tensor in graph.initializer:
        tensor.name = names[tensor.name]
    for note in graph.quantization_annotation:
        for entry in note.quant_parameter_tensor_names:
            entry.value = names[entry.value]


def _identifiers() -> Iterator[str]:
    """The shortest first."""
    for length in count():
        for letters in product(FIRST, *(LATER,) * length):
            yield "".join(letters)
