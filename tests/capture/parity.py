"""Run captured graphs in the interpreter, with arrays as PyTorch sees them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from selvedge import ir
from selvedge.capture import Captured, Loss, gradients, loss

Arrays = dict[str, np.ndarray]


def stored_inputs(captured: Captured, *xs: torch.Tensor) -> Arrays:
    """The example's tensors as the graph's inputs."""
    names = ["x", *(f"x{i}" for i in range(1, len(xs)))]
    return {n: captured.layouts[n].store(x.detach().numpy()) for n, x in zip(names, xs, strict=True)}


def predict(captured: Captured, *xs: torch.Tensor) -> Arrays:
    """Every output, in PyTorch's layout."""
    found = ir.interpret(captured.graph, stored_inputs(captured, *xs), captured.stored())
    return {name: captured.layouts[name].restore(array) for name, array in found.items()}


def parameter_gradients(
    captured: Captured, x: torch.Tensor, y: np.ndarray | None, which: str | Loss = "cross_entropy"
) -> Arrays:
    """The gradient of every trainable parameter under PyTorch's name and in its layout; ``y`` as PyTorch sees it."""
    chosen, output, layout = loss(which), captured.graph.outputs["output"], captured.layouts["output"]
    inputs, arrays = dict(captured.graph.inputs), stored_inputs(captured, x)
    labels = chosen.labels(output.spec, layout)
    target = inputs["x"]
    if labels is not None:
        assert y is not None
        target = inputs["y"] = ir.input_leaf("y", labels[0])
        arrays["y"] = labels[1].store(y)
    value = chosen.of(output, layout, target)
    leaves = {name: captured.graph.state[name] for name in captured.trainable}
    found = gradients(value, leaves.values())
    graph = ir.Graph(inputs, captured.graph.state, {n: found[v] for n, v in leaves.items() if v in found})
    ir.verify(graph)
    return restored(captured, ir.interpret(graph, arrays, captured.stored()))


def restored(captured: Captured, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Arrays stored like their parameters, in PyTorch's layout."""
    return {name: captured.layout(name).restore(array) for name, array in arrays.items()}
