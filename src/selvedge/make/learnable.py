"""A ``.tflite`` file as a model that can be planned for training."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TypeAlias

import torch
from torch import nn
from torch.export import ExportedProgram

from .. import ir
from ..artifact.layout import Layout
from ..capture import Captured, Layer, capture
from ..errors import InvalidInput
from ..formats import tflite


@dataclass(frozen=True, slots=True, repr=False)
class LearnableFile:
    """What :func:`selvedge.learnable_tflite` read: it stands where :func:`selvedge.plan` takes a module.

    Images are NHWC, as in the file. Its state is called by the number of the layer: "3.weight", "3.bias".
    """

    captured: Captured

    @property
    def example(self) -> tuple[torch.Tensor, ...]:
        """Zeros of the shapes that the file is for."""
        inputs = self.captured.graph.inputs.values()
        return tuple(torch.zeros(v.shape, dtype=getattr(torch, v.dtype)) for v in inputs)

    def __repr__(self) -> str:
        learns = len(self.captured.trainable)
        return f"<LearnableFile: {learns} arrays can learn, in {len(self.captured.layers)} layers>"


Model: TypeAlias = "nn.Module | ExportedProgram | LearnableFile"


def learnable_tflite(path: str | Path, *, last: int | None = None) -> LearnableFile:
    """The network of a ``.tflite`` file, to be planned by :func:`selvedge.plan`: ``sv.plan(file, file.example, ...)``.

    A float file learns as a module does. Of an int8 one the last layers become the float layers that they stand for,
    behind the int8 rest, which stays as it is; real numbers are quantised first where it takes int8. A softmax at the
    end is left out: losses take logits. The batch is the file's, mostly 1: ``accumulate=K`` learns of K at once.

    last: how many layers are floats at least; by default all that are, and the last one.

    Raises ``InvalidInput`` and ``NotSupported`` as :func:`selvedge.load_tflite`, and where so many cannot be floats.
    """
    if not isinstance(path, str | PathLike):
        raise InvalidInput("path", f"of type {type(path).__name__}", "give that of a .tflite file")
    if last is not None and (not isinstance(last, int) or isinstance(last, bool)):
        raise InvalidInput("last", last, "give how many layers are to be floats")
    made = tflite.learnable(tflite.graph(tflite.read(Path(path))), last)
    graph = _of_reals(made.graph)
    state = {name: graph.state[name].node.attrs["layout"].restore(array) for name, array in made.state.items()}
    layouts = {n: Layout.of(v.shape) for n, v in (*graph.inputs.items(), *graph.outputs.items())}
    layers = tuple(Layer(names[0].partition(".")[0], names) for names in made.layers)
    return LearnableFile(
        Captured(graph, state, {}, tuple(state), {}, tuple(state), layouts, layers, "frozen", ()),
    )


def _of_reals(graph: ir.Graph) -> ir.Graph:
    """``graph`` with float inputs where it takes int8."""
    leaves, now = {}, {}
    for name, value in graph.inputs.items():
        real = value.dtype == "int8"
        spec = ir.Spec(value.shape) if real else value.spec
        leaves[name] = ir.input_leaf(name, spec, layout=Layout.of(value.shape))
        now[value] = ir.apply("quantise", leaves[name], quant=value.spec.quant) if real else leaves[name]
    return ir.Graph(leaves, graph.state, ir.replaced(graph, now).outputs)


def captured(
    model: Model, example: tuple[torch.Tensor, ...], *, norms: str = "frozen", dropout: int | None = None
) -> Captured:
    """``model`` for inputs of the shapes of ``example``. Raises as :func:`selvedge.capture.capture`."""
    if not isinstance(model, LearnableFile):
        return capture(model, example, norms=norms, dropout=dropout)
    wanted = [v.shape for v in model.captured.graph.inputs.values()]
    found = [tuple(x.shape) for x in example]
    if wanted != found:
        fix = f"the file is for {', '.join(map(str, wanted))}: accumulate=K takes K of that batch"
        raise InvalidInput("example", f"of {', '.join(map(str, found))}", fix)
    if norms != "frozen" or dropout is not None:
        raise InvalidInput("norms" if norms != "frozen" else "dropout", norms if norms != "frozen" else dropout,
                           "a .tflite file has its norms in its weights, and no dropout: leave it out")  # fmt: skip
    return model.captured
