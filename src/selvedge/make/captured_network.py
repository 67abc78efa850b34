"""A quantised module as a network: what PT2E or :func:`selvedge.quantise` made, in int8 rows."""

from __future__ import annotations

import torch
from torch import nn
from torch.export import ExportedProgram

from .. import ir
from ..artifact.name import checked_name
from ..capture import capture
from ..capture.reading import checked
from ..errors import InvalidInput
from .network import Network, with_integers


def network(
    model: object,
    example: torch.Tensor | tuple[torch.Tensor, ...] | None = None,
    *,
    floats: bool = True,
    name: str = "model",
) -> Network:
    """``model`` for inputs of exactly the shapes of ``example``, to be planned by :func:`selvedge.plan_inference`.

    model: what :func:`selvedge.quantise` or ``QAT.convert`` made. Any other module or exported program does too: what
        lies between ``quantized_decomposed`` operators is int8, all else float, and both mix in one network.
    floats: it takes and gives real numbers, in PyTorch's order of axes. Without, the int8 numbers themselves wherever
        it computes with them; ``inputs`` and ``outputs`` say what they stand for.
    name: a C identifier, which names the compiled functions.

    Raises ``NotSupported`` (the operation and the user's line) and ``InvalidInput``.
    """
    if not isinstance(model, nn.Module | ExportedProgram):
        fix = "give what selvedge.load_tflite returned, or a module and an example of its input"
        raise InvalidInput("network", f"of type {type(model).__name__}", fix)
    if example is None:
        raise InvalidInput("example", "missing", "a module is read for one shape: give an example of its input")
    checked_name(name)
    captured = capture(model, checked(example), norms="folded")
    stored = captured.stored()
    graph = ir.frozen(captured.graph, stored)
    layouts = {n: captured.layouts[n] for n in (*graph.inputs, *graph.outputs)}
    return Network(graph if floats else with_integers(graph), name, layouts, stored)
