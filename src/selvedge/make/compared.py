"""The error report with two columns more: native int8, and the exported file in LiteRT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from .. import compressing
from ..compressing import samples
from ..compressing.activations import exposed
from ..compressing.compare import Columns
from ..compressing.quantised import Quantised
from ..compressing.report import Report
from ..errors import NotSupported
from ..formats import tflite
from ..ir import Graph
from .captured_network import network
from .compile import compile
from .inference import plan_inference
from .network import Network

NATIVE, EXPORTED = "native int8", "exported"
BATCH = 16  # samples of one call
Part = tuple[int, list[np.ndarray]]
"""Samples that count, and an array of :data:`BATCH` for each input."""


def compare(
    model: nn.Module,
    quantised: Quantised,
    data: Any,
    *,
    native: bool = False,
    exported: bool = False,
    others: Columns | None = None,
) -> Report:
    """What quantising changed, layer by layer, on ``data`` (as :func:`selvedge.quantise` takes it; any number of
    samples).

    native: beside what PyTorch simulates, what compiled int8 code gives on this machine.
    exported: and what LiteRT's interpreter, with the kernels it takes by itself, makes of the same model in a
        ``.tflite`` file; it needs ``pip install ai-edge-litert``.
    others: more columns, as another runtime gives them on the same samples in the same order: name -> layer -> its
        output [N, ...] in real numbers (dequantised), in the model's own layout; ``"output"`` is the model's. Layers
        that a column lacks are left out of it.

    Raises :class:`InvalidInput` for data that cannot be used, and for a column of another shape; ``NotSupported`` where
    a file cannot say what is computed.
    """
    columns: dict[str, Mapping[str, Any]] = {}
    if (native or exported) and isinstance(quantised, Quantised):
        batches = samples.batches(data, "data")
        module, layers = exposed(quantised)
        rows = min(BATCH, max(len(b[0]) for b in batches))
        whole = network(module, tuple(x[:1].expand(rows, *x.shape[1:]).contiguous() for x in batches[0]))
        read, parts = _once(whole), list(_parts(batches, rows))
        if exported:
            columns[EXPORTED] = _layers(_exported(read, parts), parts, whole, read, layers)
        if native:
            columns[NATIVE] = _layers(_native(read, parts), parts, whole, read, layers)
    return compressing.compare(model, quantised, data, others={**columns, **(others or {})})


def _parts(batches: list[tuple[torch.Tensor, ...]], rows: int) -> Iterator[Part]:
    """(samples that count, arrays of exactly ``rows``): the last of a batch is filled with copies."""
    for batch in batches:
        for start in range(0, len(batch[0]), rows):
            part = [x[start : start + rows].numpy() for x in batch]
            count = len(part[0])
            yield count, [np.concatenate([x, np.repeat(x[-1:], rows - count, 0)]) for x in part]


def _once(whole: Network) -> Network:
    """Each value an output once: two layers may give the same, as a flatten of what is flat."""
    first = {value: name for name, value in reversed(list(whole.graph.outputs.items()))}
    kept = {name: value for name, value in whole.graph.outputs.items() if first[value] == name}
    return Network(Graph(whole.graph.inputs, {}, kept), whole.name, whole.layouts)


def _native(read: Network, parts: list[Part]) -> Iterator[dict[str, np.ndarray]]:
    """Of each part output name -> array, in PyTorch's order."""
    session = compile(plan_inference(read, device="this-machine"))
    for _, given in parts:
        found = session.predict(given[0] if len(given) == 1 else tuple(given))
        yield dict(zip(read.outputs, found if isinstance(found, tuple) else (found,), strict=True))


def _exported(read: Network, parts: list[Part]) -> Iterator[dict[str, np.ndarray]]:
    """The same of LiteRT."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError:
        raise NotSupported("a report of the exported file", "", "pip install ai-edge-litert") from None
    made = tflite.model(read.graph)
    interpreter = Interpreter(model_content=tflite.written(made), num_threads=1)
    interpreter.allocate_tensors()
    for _, given in parts:
        for place, name, array in zip(made.inputs, read.inputs, given, strict=True):
            interpreter.set_tensor(place, read.layout(name).store(array))
        interpreter.invoke()
        found = zip(read.outputs, made.outputs, strict=True)
        yield {name: read.layout(name).restore(interpreter.get_tensor(place)) for name, place in found}


def _layers(
    results: Iterator[dict[str, np.ndarray]], parts: list[Part], whole: Network, read: Network,
    layers: tuple[str, ...],
) -> dict[str, np.ndarray]:  # fmt: skip
    """Layer -> its output on all samples."""
    first = {value: name for name, value in read.graph.outputs.items()}
    found: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}
    for (count, _), arrays in zip(parts, results, strict=True):
        for layer, (name, value) in zip(layers, whole.graph.outputs.items(), strict=True):
            raw = read.layout(first[value]).store(arrays[first[value]])
            found[layer].append(whole.layout(name).restore(raw)[:count])
    return {layer: np.concatenate(pieces) for layer, pieces in found.items()}
