"""What predicts and does not learn: an int8 graph out of a file, or out of a quantised module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np

from .. import ir
from ..artifact import files
from ..artifact.layout import Layout
from ..artifact.name import checked_name
from ..errors import InvalidInput
from ..formats import tflite
from ..ir import Graph
from ..ir.expand import unrolled


@dataclass(frozen=True, slots=True, repr=False)
class Network:
    """What predicts and does not learn.

    graph: inputs "x", "x1", ..., outputs "output", "output1", ...; every weight a constant. ``inputs`` and ``outputs``
    say of each its shape, its dtype, and in ``quant`` what its integers stand for: scale * (integer - zero_point).
    weights: of a module, its constants under their PyTorch names, as they are stored.
    layouts: how those that are given or returned in another order of axes are stored, as PyTorch's images are.
    """

    graph: Graph
    name: str
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def inputs(self) -> dict[str, ir.Spec]:
        return {name: value.spec for name, value in self.graph.inputs.items()}

    @property
    def outputs(self) -> dict[str, ir.Spec]:
        return {name: value.spec for name, value in self.graph.outputs.items()}

    def layout(self, name: str) -> Layout:
        """How input or output ``name`` is stored."""
        specs = {**self.inputs, **self.outputs}
        return self.layouts.get(name) or Layout.of(specs[name].shape)

    def __repr__(self) -> str:
        faces = [", ".join(map(str, ports.values())) for ports in (self.inputs, self.outputs)]
        return f"<Network {self.name}: {faces[0]} -> {faces[1]}>"


def load_tflite(path: str | Path, *, floats: bool = False, name: str = "model") -> Network:
    """The int8 network of a ``.tflite`` file, to be planned by :func:`plan_inference`. What it predicts, here and on a
    device, is bit by bit what LiteRT's reference kernels predict. Images are NHWC, as in the file.

    floats: by default inputs and outputs are the file's own, as with LiteRT's interpreter: int8 where it says int8.
        With ``floats`` such an input is given as real numbers, which are quantised first, and such an output comes
        as real numbers: NaN becomes 0, what is out of range the nearest end.
    name: a C identifier, which names the compiled functions.

    Raises ``InvalidInput`` for a damaged file, scales that do not go together and accumulators that could overflow,
    and ``NotSupported`` for an operator that has no int8 meaning here; each names the operator and the tensor.
    """
    if not isinstance(path, str | PathLike):
        raise InvalidInput("path", f"of type {type(path).__name__}", "give that of a .tflite file")
    checked_name(name)
    graph = tflite.graph(tflite.read(Path(path))).frozen()
    return Network(with_floats(graph) if floats else graph, name)


def save_tflite(network: Network, path: str | Path) -> Path:
    """``network`` as a ``.tflite`` file of builtin operators, for any runtime that reads one; what LiteRT's reference
    kernels predict of an int8 one is bit by bit what ``network`` does, and of a float one the same to rounding. Images
    are NHWC in the file. Weights of 4 bits take a byte; recurrent layers are unrolled, some forty operators a step.

    Raises ``NotSupported`` for a row that no operator computes alike, with the user's line, and ``InvalidInput`` for a
    path that cannot be written.
    """
    if not isinstance(network, Network):
        raise InvalidInput("network", f"of type {type(network).__name__}", "give what selvedge.network returned")
    if not isinstance(path, str | PathLike):
        raise InvalidInput("path", f"of type {type(path).__name__}", "give that of the file to write")
    target = Path(path)
    files.write(target, tflite.written(tflite.model(unrolled(network.graph))))
    return target


def with_floats(graph: Graph) -> Graph:
    """``graph`` from real numbers to real numbers."""
    leaves, now = {}, {}
    for name, value in graph.inputs.items():
        if value.dtype == "int8":
            leaves[name] = ir.input_leaf(name, ir.Spec(value.shape))
            now[value] = ir.apply("quantise", leaves[name], quant=value.spec.quant)
        else:
            leaves[name] = now[value] = value
    outputs = dict(ir.replaced(graph, now).outputs)
    for name, value in outputs.items():
        if value.dtype == "int8":
            outputs[name] = ir.apply("dequantise", value, quants=(value.spec.quant,), dtype="float32")
    return Graph(leaves, graph.state, outputs)


def with_integers(graph: Graph) -> Graph:
    """``graph`` without the rows at its ends that quantise and dequantise: from int8 to int8 where it computes so."""
    leaves, now = dict(graph.inputs), dict[ir.Value, ir.Value]()
    readers = ir.consumers(graph.nodes())
    for name, value in graph.inputs.items():
        rows = readers.get(value, [])
        quants = {row.attrs.get("quant") for row in rows}
        if rows and all(row.op == "quantise" for row in rows) and len(quants) == 1:
            leaves[name] = ir.input_leaf(name, ir.Spec(value.shape, "int8", quants.pop()))
            now.update((ir.Value(row), leaves[name]) for row in rows)
    outputs = dict(ir.replaced(graph, now).outputs)
    for name, value in outputs.items():
        if value.node.op == "dequantise":
            outputs[name] = value.node.inputs[0]
    return Graph(leaves, graph.state, outputs)
